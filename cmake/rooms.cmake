# Every room under src/ becomes a static library. The rooms of the engine are built twice: lean, for
# the engine (no libc, no SSE, no TLS), and hosted, for tools and tests.
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED libzstd)

set(ORRERY_LEAN_ROOMS base x86 linux elf memory cpu trace translate step host kernel machine record replay engine)
set(ORRERY_HOSTED_ONLY_ROOMS db lens explore debug cli web)

# -mno-sse keeps the guest's vector registers untouched while engine code runs.
set(ORRERY_LEAN_OPTIONS -fno-exceptions -fno-rtti -fno-stack-protector -fno-threadsafe-statics
    -fno-asynchronous-unwind-tables -fcf-protection=none -fno-pic -fno-pie -mno-sse -mno-mmx
    -ffunction-sections -fdata-sections -fno-builtin -D_FORTIFY_SOURCE=0 -DORRERY_LEAN=1 -O2)

# *_hosted.cc files need libc and are left out of the engine; *_lean.cc files are only for it.
function(orrery_room room)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS src/${room}/*.cc src/${room}/*.S)
  set(hosted ${sources})
  list(FILTER hosted EXCLUDE REGEX "_lean\\.(cc|S)$")
  if(hosted AND NOT room STREQUAL engine)
    add_library(${room} STATIC ${hosted})
  endif()
  if(room IN_LIST ORRERY_LEAN_ROOMS)
    set(lean ${sources})
    list(FILTER lean EXCLUDE REGEX "_hosted\\.cc$")
    if(lean)
      add_library(${room}_lean STATIC ${lean})
      target_compile_options(${room}_lean PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${ORRERY_LEAN_OPTIONS}>)
    endif()
  endif()
endfunction()

foreach(room IN LISTS ORRERY_LEAN_ROOMS ORRERY_HOSTED_ONLY_ROOMS)
  orrery_room(${room})
endforeach()
