/*
 * Stands before libc's getrandom(2) and always answers the same.
 *
 * std seeds its hash maps with it and TLS draws its keys from it, so that no two processes would take the same instructions. Preloaded
 * into what callgrind counts, and into nothing else.
 */
#include <string.h>
#include <sys/random.h>

ssize_t getrandom(void *buffer, size_t length, unsigned int flags) {
    (void)flags;
    memset(buffer, 7, length);
    return (ssize_t)length;
}
