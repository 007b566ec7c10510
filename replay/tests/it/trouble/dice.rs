//! Luck that can be had again.

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    /// The dice of the `n`th of the cases of a seed.
    pub fn new(seed: u64, n: u64) -> Self {
        Self(seed ^ n.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// A number from 0 to `most - 1`.
    pub fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % u64::from(most.max(1))) as u32
    }

    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}
