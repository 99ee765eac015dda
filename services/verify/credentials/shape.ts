/** Longest credential in characters; longer ones are not even parsed. */
export const maxCredentialLength = 8192

/** Two dots make a JWT (RFC 7519 section 3); whatever else comes as Bearer is tried as the API key. */
export const isJwtShaped = (value: string) => value.split('.', 4).length === 3
