//! Data registers.

/// Bytes in a register of the 32-bit kind (`NFT_REG32_SIZE`), and how many of them share the memory
/// of one of the 128-bit kind.
const SIZE: u32 = 4;
const PER_LARGE_REGISTER: u32 = 4;

/// `NFT_REG_1`, `NFT_REG32_00`.
const FIRST_LARGE: u32 = 1;
const FIRST_SMALL: u32 = 8;

/// A place in the data registers, from which on a value is loaded. Values of a concatenation follow
/// each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// How many 32-bit registers are before it.
    index: u32,
}

impl Register {
    /// The first data register, the only one that we use without concatenations.
    pub const FIRST: Self = Self { index: 0 };

    /// The register after a value of that many bytes that was loaded here.
    #[must_use]
    pub(crate) fn after(self, bytes: u32) -> Self {
        let index = self.index + bytes.div_ceil(SIZE);
        Self { index }
    }

    /// Its number, as the kernel lists it (`nft_dump_register`): where one of 128 bits begins, that
    /// one's.
    pub(super) fn number(self) -> u32 {
        if self.index.is_multiple_of(PER_LARGE_REGISTER) {
            FIRST_LARGE + self.index / PER_LARGE_REGISTER
        } else {
            FIRST_SMALL + self.index
        }
    }

    /// The register with that number; `None` if it is no data register.
    pub(super) fn of(number: u32) -> Option<Self> {
        let index = match number {
            FIRST_LARGE..5 => (number - FIRST_LARGE) * PER_LARGE_REGISTER,
            FIRST_SMALL..24 => number - FIRST_SMALL,
            _ => return None,
        };
        Some(Self { index })
    }
}
