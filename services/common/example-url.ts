/** Stands for PUBLIC_URL in files that are generated beforehand; whoever serves one puts its own URL in (RFC 2606: nobody has this name). */
export const exampleUrl = 'https://gateway.example'
