// From somebody's name to the address, which servers make of it alike unless they are configured otherwise. Whether this one
// does is seen from the account that is logged in: its name and its address are both known.

const SALT = "#@*=+-<>?:|$&()%$#{]aQkLIPM79643028U'TRKF_}";
const DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const ADDRESS = /^[1-9A-HJ-NP-Za-km-z]{1,11}$/;
const BITS_64 = 0xffff_ffff_ffff_ffffn;
// CRC-64/XZ, reflected.
const POLYNOMIAL_64 = 0xc96c_5795_d787_0f42n;
// CRC-8/SMBUS.
const POLYNOMIAL_8 = 0x07;
// What the check byte depends on besides the number, in place.
const CHECK_SEED = 0x10n << 40n;

function crc64(bytes) {
  let remainder = BITS_64;
  for (const byte of bytes) {
    remainder ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) remainder = (remainder >> 1n) ^ (remainder & 1n ? POLYNOMIAL_64 : 0n);
  }
  return remainder ^ BITS_64;
}

/** The number with its lowest byte replaced by the check byte of the seven others. */
function checked(number) {
  const masked = number ^ CHECK_SEED;
  let remainder = 0;
  for (let shift = 56n; shift > 0n; shift -= 8n) {
    remainder ^= Number((masked >> shift) & 0xffn);
    for (let bit = 0; bit < 8; bit += 1) remainder = (remainder << 1) ^ (remainder & 0x80 ? 0x100 | POLYNOMIAL_8 : 0);
  }
  return (number & ~0xffn) | BigInt(remainder);
}

/** The address of whoever has registered that name. */
export function addressOf(name) {
  let number = checked(crc64(new TextEncoder().encode(name + SALT)));
  let address = "";
  do {
    address = DIGITS[Number(number % 58n)] + address;
    number /= 58n;
  } while (number > 0n);
  return address;
}

function isAddress(text) {
  if (!ADDRESS.test(text)) return false;
  const number = [...text].reduce((sum, digit) => sum * 58n + BigInt(DIGITS.indexOf(digit)), 0n);
  return number <= BITS_64 && checked(number) === number;
}

/**
 * Makes addresses of what people write, on a server where the account `name` has the address `me`; nothing where only
 * addresses can be written. A text that can be an address is one: nobody is given to others by taking a name that looks
 * like somebody else's address.
 */
export function finder(name, me) {
  if (me === name) return (text) => text;
  if (me === addressOf(name)) return (text) => (isAddress(text) ? text : addressOf(text));
  return null;
}
