/* The floor: TOTAL processes, at most JOBS at a time, as fast as posix_spawn and wait allow.
 * No dependencies, no log, no output files.   usage: spawn TOTAL JOBS PROGRAM [ARGUMENT...] */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static void start(char **argv) {
    pid_t pid;
    int error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (error) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(error));
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    long left = atol(argv[1]), jobs = atol(argv[2]), running = 0;
    while (left || running) {
        for (; left && running < jobs; left--, running++) start(argv + 3);
        int status;
        if (wait(&status) < 0 || status) return 1;
        running--;
    }
    return 0;
}
