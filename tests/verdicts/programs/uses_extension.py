"""Python programs that end badly; the first argument says how."""
import sys

CASE = sys.argv[1]


def run():
    if CASE == "no_file":
        open("/no/such/table.csv")  # at: no_file
    if CASE == "no_key":
        {}["colour"]  # at: no_key
    if CASE == "leaves":
        sys.exit("the input is empty")  # at: leaves
    import extension
    if CASE == "bad_item":
        extension.bad_item([])
    getattr(extension, CASE)()


run()
