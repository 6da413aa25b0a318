#!/opt/none/bin/python9
# why: could not start: its interpreter /opt/none/bin/python9 is missing
# why: is a script
