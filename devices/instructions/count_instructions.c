/* A plugin for qemu-user (TCG plugin API, version 1) that counts guest instructions.
 *
 * The guest marks regions with a getpriority(PRIO_PROCESS, BEGIN or END), which concerns no process
 * and so does nothing. At each END the instructions since BEGIN are written as one line to the file
 * given as out=PATH. One counter serves all threads, so the guest must have one only.
 *
 *     cc -O2 -shared -fPIC -o count.so count_instructions.c
 *     qemu-aarch64 -plugin count.so,out=counts program
 *
 * The declarations are those of the documented interface (docs/devel/tcg-plugins); distributions
 * package qemu without its header.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef void (*translated)(plugin_id, struct qemu_plugin_tb *);
typedef void (*called)(plugin_id, unsigned int vcpu, int64_t number, uint64_t a1, uint64_t a2,
                       uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
                       uint64_t a8);
enum { INLINE_ADD_U64 = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, called);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *,
                                                     uint64_t);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

enum { GETPRIORITY = 141, BEGIN = 0x45440001, END = 0x45440002 };

static uint64_t count, began;
static FILE *out;

static void on_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    /* Added whenever the block runs, by code in the block itself: no call, little time. */
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &count,
                                             qemu_plugin_tb_n_insns(tb));
}

static void on_called(plugin_id id, unsigned int vcpu, int64_t number, uint64_t a1, uint64_t a2,
                      uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)vcpu, (void)a1, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != GETPRIORITY) {
        return;
    }
    if (a2 == BEGIN) {
        began = count;
    } else if (a2 == END) {
        fprintf(out, "%" PRIu64 "\n", count - began);
        fflush(out);
    }
}

#define VISIBLE __attribute__((visibility("default")))

VISIBLE int qemu_plugin_version = 1;

VISIBLE int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(argv[i] + 4, "w");
        }
    }
    if (out == NULL) {
        fprintf(stderr, "count_instructions: no out=PATH that can be written\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, on_called);
    return 0;
}
