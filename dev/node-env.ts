/** How a service's Node is started, here as in deploy/Dockerfile (a test compares the two). */

/**
 * A small heap that is tidied often. Left alone, V8 lets a process that makes short-lived objects grow by half a hundred MiB before it
 * collects the young ones, and by more than that before it collects the old ones for the first time.
 */
export const nodeArguments = ['--max-semi-space-size=4', '--initial-old-space-size=32', '--heap-growing-percent=40']

/** Stripped TypeScript is kept on disk: the stripper is a WebAssembly program of 25 MiB in every process that has to run it. */
export const nodeEnv = (compileCache: string) => ({ NODE_COMPILE_CACHE: compileCache })
