//! Vectors for texts: the same for the same text, near for texts of the same letters.

/// How many numbers a vector has where the call doesn't say.
const DIMENSIONS: usize = 8;

/// A vector of length one.
pub fn of(text: &str, dimensions: Option<u64>) -> Vec<f32> {
    let dimensions = dimensions.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(DIMENSIONS);
    let mut counts = vec![0_u16; dimensions];
    counts[0] = 1;
    for byte in text.bytes() {
        let at = usize::from(byte) % dimensions;
        counts[at] = counts[at].saturating_add(1);
    }
    let length = counts.iter().map(|n| f32::from(*n).powi(2)).sum::<f32>().sqrt();
    counts.iter().map(|n| f32::from(*n) / length).collect()
}
