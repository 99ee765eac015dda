/**
 * Waits for a state of the world; asked often at first, then every 50 ms.
 * @throws Error naming `what`, where it has not come in that time
 */
export async function until (what: string, isTrue: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
  const end = Date.now() + seconds * 1000
  for (let wait = 2; !await isTrue(); wait = Math.min(wait * 1.2, 50)) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise(resolve => setTimeout(resolve, wait))
  }
}
