# The two programs: `orrery` (what people run) and `orrery-engine` (what becomes the guest process).
# Rooms are handed to the linker as one group: order follows src/LAYERS, which a test proves, not the
# link line.
if(TARGET engine_lean)
  add_executable(orrery-engine cmake/empty.c)
  set_target_properties(orrery-engine PROPERTIES LINKER_LANGUAGE CXX)
  orrery_existing_rooms(lean _lean ${ORRERY_LEAN_ROOMS})
  target_link_libraries(orrery-engine PRIVATE -Wl,--start-group ${lean} -Wl,--end-group gcc)
  target_link_options(orrery-engine PRIVATE -nostdlib -static $<$<CXX_COMPILER_ID:GNU>:-no-pie> -Wl,-Ttext-segment=0x60000000
      -Wl,--gc-sections -Wl,-z,noexecstack -Wl,-z,norelro -Wl,--build-id=sha1
      -Wl,-e,orrery_engine_start -Wl,--undefined=orrery_engine_start)
  # Each recording keeps the engine that made it, so its debug information goes into a file of its own,
  # which gdb finds beside it.
  add_custom_command(TARGET orrery-engine POST_BUILD VERBATIM
    COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE:orrery-engine> $<TARGET_FILE:orrery-engine>.debug
    COMMAND ${CMAKE_OBJCOPY} --strip-debug --add-gnu-debuglink=$<TARGET_FILE:orrery-engine>.debug
            $<TARGET_FILE:orrery-engine>)
endif()

if(TARGET cli)
  add_executable(orrery cmake/empty.c)
  set_target_properties(orrery PROPERTIES LINKER_LANGUAGE CXX)
  orrery_existing_rooms(hosted "" ${ORRERY_LEAN_ROOMS} ${ORRERY_HOSTED_ONLY_ROOMS})
  # `orrery record` starts before every recorded program, and loading nine shared libraries costs more
  # than the rest of its start (measured: 0.9 ms of 1.1): so all but libc are linked in.
  # Zydis is loaded when it is needed (x86/zydis_hosted.h).
  target_link_libraries(orrery PRIVATE -Wl,--start-group ${hosted} -Wl,--end-group -Wl,--as-needed
      ${ORRERY_STATIC_LIBRARIES})
  # At fixed addresses, as the engine: a PIE has 17,600 places to relocate at each start, which copies 62
  # pages of tables (measured: 0.35 ms of 2.9).
  target_link_options(orrery PRIVATE -static-libstdc++ -static-libgcc -no-pie)
  target_link_options(orrery PRIVATE ${ORRERY_SANITIZE_OPTIONS})
  if(TARGET orrery-engine)
    add_dependencies(orrery orrery-engine)  # found beside it at run time
  endif()
endif()

# What `./dev parts` measures; nobody else builds it.
if(TARGET db)
  add_executable(rows_bench EXCLUDE_FROM_ALL bench/src/rows.cc)
  target_link_libraries(rows_bench PRIVATE db base ${ORRERY_HOSTED_LIBRARIES})
endif()
