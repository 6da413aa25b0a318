# A browser: some thirty processes that pass memory and files to each other, and a page whose script makes its
# content. What it says of a machine without D-Bus varies.
TMPDIR=$HOME exec chromium --headless --no-sandbox --user-data-dir="$HOME/profile" --dump-dom "file://$PWD/page.html" 2>/dev/null
