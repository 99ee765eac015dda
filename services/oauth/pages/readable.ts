import { html, type Html } from './html.ts'

/** Longest name that is shown, in characters as Unicode counts them. */
const longest = 100

/**
 * A name that somebody gave themselves, as a page may show it: nothing in it turns the direction of the text, hides, piles up over its neighbours,
 * or ends the quotation marks that it stands in (Unicode TR 36, Security Considerations).
 */
export function readable (name: string): string {
  const plain = name.toWellFormed().normalize('NFC')
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    // Directions, zero-width blanks, soft hyphens, tags; the two joiners stay, which Persian, Hindi and emoji need.
    .replaceAll(/(?![\u{200c}\u{200d}])[\p{Cf}\p{Co}\u{115f}\u{1160}\u{2800}\u{3164}\u{ffa0}]/gu, '')
    .replaceAll(/["“”„‟«»″＂]/gu, '’')
    .replaceAll(/(\p{M}{3})\p{M}+/gu, '$1')
    .replaceAll(/\s+/gu, ' ')
    .trim()
  const characters = [...plain]
  return characters.length > longest ? `${characters.slice(0, longest).join('')}…` : plain
}

/** Such a name in a page, kept apart from the direction of the text around it. */
export function isolated (name: string): Html {
  return html`<bdi>${readable(name)}</bdi>`
}

/** What an app calls itself, in quotation marks: no more than a claim. */
export function claimed (name: string): Html {
  return isVisible(name) ? html`“${isolated(name)}”` : html`${nameless}`
}

/** The same for where there can be no tags. */
export function claimedText (name: string): string {
  return isVisible(name) ? `“${readable(name)}”` : nameless
}

const nameless = 'nothing at all'

/** False for a name of joiners and accents alone. */
function isVisible (name: string): boolean {
  return /[^\u{200c}\u{200d}\s\p{M}]/u.test(readable(name))
}
