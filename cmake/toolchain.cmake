# What every translation unit is compiled with, whatever the room, and the same under g++ and clang.
find_program(ORRERY_CCACHE ccache)
if(ORRERY_CCACHE)
  foreach(language C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${ORRERY_CCACHE})
    endif()
  endforeach()
endif()

add_compile_options(-Wall -Wextra -Wconversion -Werror $<$<NOT:$<CXX_COMPILER_ID:Clang>>:-g> -fno-omit-frame-pointer)
# clang counts sign conversions under -Wconversion in C++, g++ does not. One meaning for both.
add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-sign-conversion>)
# g++ 12 sees overlapping copies where there are none, in `"text" + string` at -O3 (GCC bug 105651).
add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)
# CHECK is on in every build, so nothing may depend on NDEBUG; paths in it start at the source root.
add_compile_options(-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)
# -iquote, not -I: the rooms `linux` and `elf` must not answer for <linux/...> and <elf.h>.
add_compile_options("SHELL:-iquote ${CMAKE_SOURCE_DIR}/src")

set(ORRERY_SANITIZE_OPTIONS)
if(ORRERY_SANITIZE)
  set(ORRERY_SANITIZE_OPTIONS -fsanitize=${ORRERY_SANITIZE} -fno-sanitize-recover=all)
endif()

# The third-party libraries of hosted code, for `orrery` and the tests. Each has one owner room
# (tests/house/third_party.txt).
find_package(PkgConfig REQUIRED)
pkg_check_modules(ORRERY_PARTS REQUIRED IMPORTED_TARGET libzstd libdw libelf sqlite3 zlib)
set(ORRERY_HOSTED_LIBRARIES PkgConfig::ORRERY_PARTS iberty Zydis Zycore)
# The same for `orrery` itself, as archives: see executables.cmake.
set(ORRERY_STATIC_LIBRARIES)
foreach(part sqlite3 dw elf z lzma bz2 zstd iberty)
  find_library(ORRERY_STATIC_${part} NAMES lib${part}.a REQUIRED)
  list(APPEND ORRERY_STATIC_LIBRARIES ${ORRERY_STATIC_${part}})
endforeach()
list(APPEND ORRERY_STATIC_LIBRARIES ${CMAKE_DL_LIBS} m)
# Debian has fmt only as a shared library, which would bring in libstdc++'s as well: so its headers alone.
add_compile_definitions(FMT_HEADER_ONLY=1)
