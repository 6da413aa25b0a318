# CLI11 2.1 makes eight validators in each unit that includes it: in sixty of them that is a tenth of the time
# that `orrery show file` takes. In a copy of its headers they are `inline`, so that there is one of each.
find_path(CLI11_HEADERS CLI/Validators.hpp REQUIRED)
set(cli11_copy ${CMAKE_BINARY_DIR}/cli11)
file(COPY ${CLI11_HEADERS}/CLI DESTINATION ${cli11_copy})
file(READ ${CLI11_HEADERS}/CLI/Validators.hpp cli11_validators)
string(REGEX REPLACE "\nconst (detail::[A-Za-z0-9]+Validator|TypeValidator<double>|Range) " "\ninline const \\1 "
       cli11_validators "${cli11_validators}")
file(CONFIGURE OUTPUT ${cli11_copy}/CLI/Validators.hpp CONTENT "${cli11_validators}" @ONLY)
target_include_directories(cli SYSTEM BEFORE PRIVATE ${cli11_copy})
