//! An erasure code: from any `k` of `k + m` equally long blocks of bytes come the `k` that were meant.
//!
//! Reed and Solomon's, over GF(2⁸) with a Cauchy matrix (Blömer et al., "An XOR-based erasure-resilient coding scheme",
//! 1995; RFC 5510 has one with a Vandermonde matrix): the blocks themselves are sent as they are, and each of the `m`
//! others is a sum of all of them, every one with factors of its own. Row `j` does not depend on `m`, so a sender can make
//! as many as it likes.

/// Blocks that can be protected together.
pub const MAX_BLOCKS: usize = 64;
/// Sums that can be made of them.
pub const MAX_SUMS: usize = 64;

/// Powers of 2, twice in a row so that sums of logarithms need no modulo.
const POWERS: [u8; 510] = {
    let (mut powers, mut x, mut i) = ([0; 510], 1u16, 0);
    while i < 255 {
        powers[i] = x as u8;
        powers[i + 255] = x as u8;
        x <<= 1;
        if x & 0x100 != 0 {
            x ^= 0x11D;
        }
        i += 1;
    }
    powers
};

const LOGARITHMS: [u8; 256] = {
    let (mut logs, mut i) = ([0; 256], 0);
    while i < 255 {
        logs[POWERS[i] as usize] = i as u8;
        i += 1;
    }
    logs
};

fn product(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    POWERS[usize::from(LOGARITHMS[usize::from(a)]) + usize::from(LOGARITHMS[usize::from(b)])]
}

/// One over `a`, which is not 0.
fn inverse(a: u8) -> u8 {
    POWERS[255 - usize::from(LOGARITHMS[usize::from(a)])]
}

/// The factor of block `i` in sum `j`: one over the sum of two numbers that are never the same.
fn factor(j: usize, i: usize) -> u8 {
    inverse((j as u8) ^ (MAX_SUMS + i) as u8)
}

/// `to` += `factor` × `from`; what `from` lacks in length counts as zeros.
fn add(to: &mut [u8], factor: u8, from: &[u8]) {
    let table: [u8; 256] = std::array::from_fn(|x| product(factor, x as u8));
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= table[usize::from(*from)];
    }
}

/// Sum `j` (below [`MAX_SUMS`]) of at most [`MAX_BLOCKS`] blocks, as long as the longest of them; shorter ones count as
/// if zeros followed.
pub fn sum(j: usize, blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut sum = vec![0; blocks.iter().map(Vec::len).max().unwrap_or(0)];
    for (i, block) in blocks.iter().enumerate().take(MAX_BLOCKS) {
        add(&mut sum, factor(j % MAX_SUMS, i), block);
    }
    sum
}

/// The blocks that are missing, with their places, zeros at their ends where they were shorter than the longest; `None`
/// where the sums do not suffice, or are no sums of such blocks (of different lengths, or shorter than a block).
pub fn recover(blocks: &[Option<Vec<u8>>], sums: &[(usize, Vec<u8>)]) -> Option<Vec<(usize, Vec<u8>)>> {
    let missing: Vec<usize> = (0..blocks.len()).filter(|i| blocks[*i].is_none()).collect();
    let length = sums.first()?.1.len();
    let mut rows: Vec<&(usize, Vec<u8>)> = Vec::new();
    for sum in sums.iter().filter(|(j, _)| *j < MAX_SUMS) {
        if !rows.iter().any(|row| row.0 == sum.0) && rows.len() < missing.len() {
            rows.push(sum);
        }
    }
    let fit = blocks.iter().flatten().all(|b| b.len() <= length) && rows.iter().all(|(_, sum)| sum.len() == length);
    if rows.len() < missing.len() || blocks.len() > MAX_BLOCKS || !fit {
        return None;
    }
    let mut matrix: Vec<Vec<u8>> = rows.iter().map(|(j, _)| missing.iter().map(|i| factor(*j, *i)).collect()).collect();
    let mut right: Vec<Vec<u8>> = rows.iter().map(|(_, sum)| sum.clone()).collect();
    for (row, (j, _)) in right.iter_mut().zip(&rows) {
        let known = blocks.iter().enumerate().filter_map(|(i, block)| Some((i, block.as_ref()?)));
        known.for_each(|(i, block)| add(row, factor(*j, i), block));
    }
    // Gauss and Jordan; every square part of a Cauchy matrix can be inverted, so there is always a pivot below.
    for column in 0..missing.len() {
        let pivot = (column..missing.len()).find(|row| matrix[*row][column] != 0)?;
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let scale = inverse(matrix[column][column]);
        matrix[column].iter_mut().for_each(|x| *x = product(scale, *x));
        right[column].iter_mut().for_each(|x| *x = product(scale, *x));
        for row in (0..missing.len()).filter(|row| *row != column) {
            let by = matrix[row][column];
            if by != 0 {
                let (line, solved) = (matrix[column].clone(), right[column].clone());
                add(&mut matrix[row], by, &line);
                add(&mut right[row], by, &solved);
            }
        }
    }
    Some(missing.into_iter().zip(right).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    #[test]
    fn the_field_is_one() {
        for a in 1..=255u8 {
            assert_eq!(product(a, inverse(a)), 1);
            assert_eq!((product(a, 1), product(a, 0)), (a, 0));
        }
        // 2⁸ is what the polynomial leaves: x⁴ + x³ + x² + 1.
        assert_eq!((product(0x80, 2), product(3, 7)), (0x1D, 9));
    }

    #[test]
    fn a_single_block_is_its_sum_times_a_factor_and_comes_back() {
        let block = vec![1, 2, 250];
        let sums = [(3, sum(3, std::slice::from_ref(&block)))];
        assert_eq!(recover(&[None], &sums), Some(vec![(0, block)]));
    }

    fn blocks() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..MAX_BLOCKS)
    }

    proptest! {
        #[test]
        fn as_many_blocks_as_there_are_sums_may_be_missing(
            (blocks, gone, rows) in blocks().prop_flat_map(|blocks| {
                let (count, all) = (blocks.len().min(12), (0..blocks.len()).collect::<Vec<_>>());
                (Just(blocks), subsequence(all, 0..=count), subsequence((0..MAX_SUMS).collect::<Vec<_>>(), count))
            })
        ) {
            let sums: Vec<_> = rows.into_iter().map(|j| (j, sum(j, &blocks))).collect();
            let length = sums.first().map_or(0, |s| s.1.len());
            let some: Vec<_> =
                blocks.iter().enumerate().map(|(i, b)| (!gone.contains(&i)).then(|| b.clone())).collect();
            for (i, mut found) in recover(&some, &sums).expect("enough sums") {
                let mut expected = blocks[i].clone();
                expected.resize(length, 0);
                found.resize(length, 0);
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn too_few_sums_recover_nothing_and_nonsense_does_not_panic(
            mut blocks in proptest::collection::vec(
                proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)), 0..80),
            sums in proptest::collection::vec(
                (0usize..100, proptest::collection::vec(any::<u8>(), 0..40)), 0..20),
        ) {
            let _ = recover(&blocks, &sums);
            blocks.extend(std::iter::repeat_n(None, sums.len() + 1));
            prop_assert_eq!(recover(&blocks, &sums), None);
        }
    }
}
