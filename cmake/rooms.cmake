# Every room under src/ becomes a static library. The rooms of the engine are built twice: lean, for
# the engine (no libc, no SSE, no TLS), and hosted, for tools and tests. A room that generates code
# says how in src/<room>/generate.cmake, which may append to `generated_sources`.
set(ORRERY_LEAN_ROOMS base x86 linux elf memory cpu trace translate step host kernel machine record replay engine)
set(ORRERY_HOSTED_ONLY_ROOMS db lens explore debug cli web)

# -mno-sse keeps the guest's vector registers untouched while engine code runs. The loop-to-memcpy
# pattern is off so that memcpy itself can be written in C++.
set(ORRERY_LEAN_OPTIONS -fno-exceptions -fno-rtti -fno-stack-protector -fno-threadsafe-statics
    -fno-asynchronous-unwind-tables -fno-unwind-tables -fcf-protection=none -fno-pic -fno-pie -mno-sse -mno-mmx
    -ffunction-sections -fdata-sections -U_FORTIFY_SOURCE -DORRERY_LEAN=1 -O2
    $<$<CXX_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>
    # Without SSE g++ copies small structs with rep movs, whose start costs more than the copy.
    $<$<CXX_COMPILER_ID:GNU>:-mmemcpy-strategy=unrolled_loop:512:noalign,libcall:-1:noalign>
    $<$<CXX_COMPILER_ID:GNU>:-mmemset-strategy=unrolled_loop:512:noalign,libcall:-1:noalign> $<$<CXX_COMPILER_ID:Clang>:-fno-builtin-bcmp>)

function(orrery_lean_library name)
  add_library(${name} STATIC ${ARGN})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${ORRERY_LEAN_OPTIONS}>)
endfunction()

function(orrery_hosted_library name)
  add_library(${name} STATIC ${ARGN})
  target_compile_options(${name} PRIVATE ${ORRERY_SANITIZE_OPTIONS})
endfunction()

# *_hosted.cc files need libc and are left out of the engine; *_lean.cc files are only for it (they
# provide memcpy and friends, so the compiler must not know those by name).
function(orrery_room room)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS src/${room}/*.cc src/${room}/*.S)
  set(generated_sources)
  include(src/${room}/generate.cmake OPTIONAL)
  list(APPEND sources ${generated_sources})
  set(hosted ${sources})
  list(FILTER hosted EXCLUDE REGEX "_lean\\.(cc|S)$")
  if(hosted AND NOT room STREQUAL engine)
    orrery_hosted_library(${room} ${hosted})
  endif()
  if(room IN_LIST ORRERY_LEAN_ROOMS)
    set(lean ${sources})
    list(FILTER lean EXCLUDE REGEX "_hosted\\.(cc|S)$")
    set(lean_only ${lean})
    list(FILTER lean_only INCLUDE REGEX "_lean\\.cc$")
    set_source_files_properties(${lean_only} PROPERTIES COMPILE_OPTIONS -fno-builtin)
    if(lean)
      orrery_lean_library(${room}_lean ${lean})
    endif()
  endif()
endfunction()

foreach(room IN LISTS ORRERY_LEAN_ROOMS ORRERY_HOSTED_ONLY_ROOMS)
  orrery_room(${room})
endforeach()

# Those of the named rooms that have sources, as link targets.
function(orrery_existing_rooms out suffix)
  set(found)
  foreach(room IN LISTS ARGN)
    if(TARGET ${room}${suffix})
      list(APPEND found ${room}${suffix})
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()
