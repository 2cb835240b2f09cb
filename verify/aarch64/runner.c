/* Executes single instructions of AArch64 in given states, and says what comes out: `atrest-verify validate` compares that
   with its models. Built static, so that qemu's user emulation runs it where there is no such processor.

   Writes the addresses of the code and of the scratch memory first. Then reads an instruction's encoding and a number of
   states, and those states, and writes them as they are after the instruction; over and over. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SCRATCH 1024

struct state {
    uint64_t general[31], flags, taken, unused;
    uint8_t vectors[32][16];
    uint8_t memory[SCRATCH];
};
_Static_assert(offsetof(struct state, flags) == 248 && offsetof(struct state, taken) == 256, "as below");
_Static_assert(offsetof(struct state, vectors) == 272, "as below");

void run_one(struct state *state);
extern uint32_t code_page[1024];

/* Loads all registers but the stack pointer, goes to the instruction, and stores them again. Behind the instruction are
   two ways out: the next one, and the one behind it, which branches are made to take. */
__asm__(".text\n"
        ".balign 4096\n"
        ".global code_page\n"
        "code_page: nop\n"
        "b 1f\n"
        "b 2f\n"
        ".space 4084\n"
        "1: stp x0, x1, [sp, #-16]!\n"
        "mov x1, #0\n"
        "b 3f\n"
        "2: stp x0, x1, [sp, #-16]!\n"
        "mov x1, #1\n"
        "3: ldr x0, [sp, #176]\n"
        "str x1, [x0, #256]\n"
        "mrs x1, nzcv\n"
        "str x1, [x0, #248]\n"
        ".irp i, 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n"
        "str x\\i, [x0, #8*\\i]\n"
        ".endr\n"
        "ldp x2, x3, [sp], #16\n"
        "stp x2, x3, [x0]\n"
        ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "str q\\i, [x0, #272+16*\\i]\n"
        ".endr\n"
        "ldp x19, x20, [sp, #16]\n"
        "ldp x21, x22, [sp, #32]\n"
        "ldp x23, x24, [sp, #48]\n"
        "ldp x25, x26, [sp, #64]\n"
        "ldp x27, x28, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\n"
        "ldp d10, d11, [sp, #112]\n"
        "ldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "ldp x29, x30, [sp], #176\n"
        "ret\n"
        ".global run_one\n"
        "run_one: stp x29, x30, [sp, #-176]!\n"
        "stp x19, x20, [sp, #16]\n"
        "stp x21, x22, [sp, #32]\n"
        "stp x23, x24, [sp, #48]\n"
        "stp x25, x26, [sp, #64]\n"
        "stp x27, x28, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\n"
        "stp d10, d11, [sp, #112]\n"
        "stp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "str x0, [sp, #160]\n"
        ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "ldr q\\i, [x0, #272+16*\\i]\n"
        ".endr\n"
        "ldr x1, [x0, #248]\n"
        "msr nzcv, x1\n"
        ".irp i, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n"
        "ldr x\\i, [x0, #8*\\i]\n"
        ".endr\n"
        "ldr x0, [x0]\n"
        "b code_page\n");

static void get(void *to, size_t len)
{
    if (fread(to, 1, len, stdin) != len)
        exit(0);
}

static void put(const void *from, size_t len)
{
    if (fwrite(from, 1, len, stdout) != len)
        exit(1);
}

int main(void)
{
    static struct state state;
    static _Alignas(64) uint8_t scratch[SCRATCH];
    uint64_t where[2] = { (uintptr_t)code_page, (uintptr_t)scratch };
    if (mprotect(code_page, sizeof code_page, PROT_READ | PROT_WRITE | PROT_EXEC))
        return 2;
    put(where, sizeof where);
    fflush(stdout);
    for (;;) {
        uint32_t request[2];
        get(request, sizeof request);
        code_page[0] = request[0];
        __builtin___clear_cache((char *)code_page, (char *)(code_page + 1));
        for (uint32_t i = 0; i < request[1]; i++) {
            get(&state, sizeof state);
            memcpy(scratch, state.memory, SCRATCH);
            run_one(&state);
            memcpy(state.memory, scratch, SCRATCH);
            put(&state, sizeof state);
        }
        fflush(stdout);
    }
}
