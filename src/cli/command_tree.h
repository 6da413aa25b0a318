// The whole tree of commands, for what is about all of them: the parser, the manual page, completions.
#pragma once

#include <CLI/CLI.hpp>
