/** Area codes in which libphonenumber takes every number whose seventh-last digit is 2 to 9. */
const areaCodes = `
  201 202 203 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248
  251 252 253 254 256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315
  316 317 318 319 320 321 323 325 330 334 336 337 339 347 351 352 360 361 385 386 401 402 404 405 406
  407 408 409 410 412 413 414 415 417 419`
  .trim()
  .split(/\s+/)

const lowest = 2_000_000
const perArea = 8_000_000
/** Coprime to `perArea`, so that the walk through an area visits every number once, and neighbours lie far apart. */
const stride = 5_000_011

/** The n-th of many million distinct valid US numbers; consecutive ones lie in different areas. */
export function phoneAt(n: number): string {
  const lap = Math.floor(n / areaCodes.length)
  return `+1${areaCodes[n % areaCodes.length]}${lowest + ((lap * stride) % perArea)}`
}

/** The client address of the n-th verification, out of a pool of `size` addresses. */
export function addressAt(n: number, size: number): string {
  const k = n % size
  return `10.${(k >> 16) & 255}.${(k >> 8) & 255}.${k & 255}`
}
