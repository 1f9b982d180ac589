// The linked trampoline as data of berth.
        .section .rodata.berth_trampoline, "a"
        .globl berth_trampoline_begin
        .globl berth_trampoline_end
        .balign 16
berth_trampoline_begin:
        .incbin BERTH_TRAMPOLINE
berth_trampoline_end:
        .section .note.GNU-stack, "", %progbits
