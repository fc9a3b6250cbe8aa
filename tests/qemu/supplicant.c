/*
 * Preloaded into the guest's tee-supplicant, whose releases up to 4.10 end when Linux has nobody left to
 * take an answer: a client that is killed while storage is used for it ends the process that everybody's
 * storage needs (OP-TEE/optee_client#423). What is worse, Linux then waits for ever where another call was in
 * the middle of its storage: the call holds memory of the process that ended, and as long as that is held
 * Linux lets no other one in its place.
 *
 * So an answer that nobody takes counts as sent. What it named stays open in tee-supplicant, a file or a
 * piece of memory for each such client: enough for a guest that lives for minutes.
 */
#include <errno.h>
#include <linux/tee.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    long done = syscall(SYS_ioctl, fd, request, argument);
    return done == -1 && errno == EBADF && request == TEE_IOC_SUPPL_SEND ? 0 : (int)done;
}
