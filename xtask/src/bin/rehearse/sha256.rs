//! The SHA-256 of some bytes, by which GitHub and cargo name files. Pure.

/// The SHA-256 of some bytes in hexadecimal (FIPS 180-4), as GitHub shows it for an asset and an index for a package.
pub fn sha256(bytes: &[u8]) -> String {
    let mut primes = (2u32..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
    let primes: [u32; 64] = std::array::from_fn(|_| primes.next().unwrap_or_default());
    // The first bits of the fractions of roots of primes.
    let fraction = |root: f64| (root.fract() * 4_294_967_296.0) as u32;
    let constants = primes.map(|prime| fraction(f64::from(prime).cbrt()));
    let mut hash: [u32; 8] = std::array::from_fn(|at| fraction(f64::from(primes[at]).sqrt()));

    let whole = bytes.len() / 64 * 64;
    let mut rest = bytes[whole..].to_vec();
    rest.push(0x80);
    rest.resize((rest.len() + 8).next_multiple_of(64) - 8, 0);
    rest.extend((bytes.len() as u64 * 8).to_be_bytes());
    let blocks = bytes[..whole].as_chunks::<64>().0.iter();
    for block in blocks.chain(rest.as_chunks::<64>().0) {
        let mut words = [0; 64];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        for at in 16..64 {
            let (early, late) = (words[at - 15], words[at - 2]);
            let early = early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3);
            let late = late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10);
            words[at] = words[at - 16]
                .wrapping_add(early)
                .wrapping_add(words[at - 7])
                .wrapping_add(late);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = hash;
        for at in 0..64 {
            let rotated = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = e & f ^ !e & g;
            let one = h
                .wrapping_add(rotated)
                .wrapping_add(choice)
                .wrapping_add(constants[at])
                .wrapping_add(words[at]);
            let rotated = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let two = rotated.wrapping_add(a & b ^ a & c ^ b & c);
            (h, g, f, e) = (g, f, e, d.wrapping_add(one));
            (d, c, b, a) = (c, b, a, one.wrapping_add(two));
        }
        for (sum, word) in hash.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *sum = sum.wrapping_add(word);
        }
    }
    hash.map(|word| format!("{word:08x}")).concat()
}
