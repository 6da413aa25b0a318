// The engine's first instruction: notes the host's argument block and moves to the engine's own stack,
// which main has yet to map; until then it runs on the host's.
.intel_syntax noprefix.text.globl orrery_engine_start.type orrery_engine_start,
    @function orrery_engine_start : xor ebp,
                                    ebp mov rdi,
                                    rsp and rsp,
                                    -16 call orrery_engine_prepare mov rsp,
                                    rax xor ebp,
                                    ebp call orrery_engine_main ud2.section.note.GNU - stack,
                                    "",
                                    @progbits
