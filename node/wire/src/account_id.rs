//! Account and room ids: a 64-bit hash with a check byte, in base 58 (section 17).

use crc::{CRC_8_SMBUS, CRC_64_XZ, Crc};

use crate::base58;

/// The salt of every server that was not configured otherwise.
pub const DEFAULT_SALT: &[u8] = b"#@*=+-<>?:|$&()%$#{]aQkLIPM79643028U'TRKF_}";

/// The longest text that can be an id of anything, in bytes.
pub const NODE_LENGTH_MAX: usize = 64;

/// Bytes that end an id in frames of big data (section 15).
const BIG_DATA_SEPARATORS: [u8; 2] = [b'|', 0x83];

const DEFAULT_MASK_SEED: [u8; 8] = [0x10, 0, 0, 0, 0, 0, 0, 0];

const CRC_64: Crc<u64> = Crc::<u64>::new(&CRC_64_XZ);
const CRC_8: Crc<u8> = Crc::<u8>::new(&CRC_8_SMBUS);

/// How this cluster makes ids: which salt is hashed with a name, and which seed the check byte depends on.
/// Ids of one cluster are not valid in a cluster with another seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdScheme {
    salt: Vec<u8>,
    check_seed: [u8; 8],
    /// Accounts have ids from elsewhere: their names.
    free_form: bool,
}

impl Default for IdScheme {
    fn default() -> Self {
        Self::new(DEFAULT_SALT, DEFAULT_MASK_SEED)
    }
}

impl IdScheme {
    fn new(salt: &[u8], mask_seed: [u8; 8]) -> Self {
        Self {
            salt: salt.to_vec(),
            check_seed: mix(mask_seed, mask_seed),
            free_form: false,
        }
    }

    /// The default salt and a numeric seed, as `seed` of 2.0 servers.
    #[must_use]
    pub fn with_seed(seed: i64) -> Self {
        Self::new(DEFAULT_SALT, seed.to_be_bytes())
    }

    /// The default salt and a text seed, as `maskseed` of 2.1 servers.
    #[must_use]
    pub fn with_mask_seed(text: &str) -> Self {
        Self::new(DEFAULT_SALT, fnv1a_64(text.as_bytes()).to_be_bytes())
    }

    /// The same seed with another salt.
    #[must_use]
    pub fn with_salt(self, salt: &[u8]) -> Self {
        Self {
            salt: salt.to_vec(),
            ..self
        }
    }

    /// The same, but accounts are called by their names.
    #[must_use]
    pub fn with_names_as_ids(self) -> Self {
        Self {
            free_form: true,
            ..self
        }
    }

    /// The id of an account: always the same for a name in a domain. A name that is the id itself may be none that
    /// [`IdScheme::is_valid`] takes.
    #[must_use]
    pub fn account_id(&self, name: &str, domain: &str) -> String {
        if self.free_form {
            return name.to_owned();
        }
        self.id_of(name.as_bytes(), domain)
    }

    /// The id of a new room, from random bytes and its founder's domain.
    #[must_use]
    pub fn room_id(&self, random: [u8; 8], domain: &str) -> String {
        self.id_of(&random, domain)
    }

    /// The id of a new virtual room, from random bytes.
    #[must_use]
    pub fn virtual_room_id(&self, random: [u8; 8]) -> String {
        self.id_of(&random, "")
    }

    fn id_of(&self, name: &[u8], domain: &str) -> String {
        let mut digest = CRC_64.digest();
        digest.update(name);
        digest.update(&self.salt);
        digest.update(domain.as_bytes());
        base58::encode(self.checked(digest.finalize()))
    }

    /// Whether a text is a well-formed id of this scheme. Says nothing about whether it exists.
    #[must_use]
    pub fn is_valid(&self, id: &str) -> bool {
        if self.free_form {
            let separates = |byte: u8| BIG_DATA_SEPARATORS.contains(&byte);
            return (1..=NODE_LENGTH_MAX).contains(&id.len()) && !id.bytes().any(separates);
        }
        id.len() <= NODE_LENGTH_MAX && base58::decode(id).is_some_and(|number| self.checked(number) == number)
    }

    /// The number behind a derived id; nothing for a text that is none.
    #[must_use]
    pub fn number_of(&self, id: &str) -> Option<u64> {
        let number = base58::decode(id).filter(|_| id.len() <= NODE_LENGTH_MAX)?;
        (self.checked(number) == number).then_some(number)
    }

    /// The number with its lowest byte replaced by the check byte of the seven others.
    pub(crate) fn checked(&self, number: u64) -> u64 {
        let mut bytes = number.to_be_bytes();
        let masked = mix(bytes, self.check_seed);
        bytes[7] = CRC_8.checksum(&masked[..7]);
        u64::from_be_bytes(bytes)
    }
}

/// The masking of the reference, with its odd index: byte 0 of the seed is used twice, byte 7 never.
fn mix(bytes: [u8; 8], seed: [u8; 8]) -> [u8; 8] {
    std::array::from_fn(|index| bytes[index] ^ seed[index.saturating_sub(1)])
}

fn fnv1a_64(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes
        .iter()
        .fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests;
