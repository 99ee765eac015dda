/**
 * A question that is under way once at most, however many ask it. Who comes meanwhile shares the next answer, never the one under way: that may
 * not know of what was done before they asked.
 */
export function oneAtATime<T> (ask: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined
  const start = () => {
    next = undefined
    const asked = ask().finally(() => { if (running === asked) running = undefined })
    running = asked
    return asked
  }
  return () => {
    if (next !== undefined) return next
    if (running === undefined) return start()
    next = running.then(start, start)
    return next
  }
}
