//! How many lines stand before a block: sums that change in a few steps, however long the conversation is.

/// Numbers and the sums of their prefixes (a Fenwick tree).
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    /// Node `n` (1-based, kept at `n - 1`) holds the sum of the `n & -n` numbers up to number `n`.
    nodes: Vec<usize>,
}

impl Sums {
    /// The sums of these numbers.
    pub(super) fn of(numbers: impl Iterator<Item = usize>) -> Self {
        let mut sums = Self::default();
        numbers.for_each(|number| sums.push(number));
        sums
    }

    /// Adds a number at the end.
    pub(super) fn push(&mut self, number: usize) {
        let node = self.nodes.len() + 1;
        let first = node - lowest_bit(node);
        self.nodes.push(number + self.before(node - 1) - self.before(first));
    }

    /// The sum of the first `count` numbers.
    pub(super) fn before(&self, count: usize) -> usize {
        let mut sum = 0;
        let mut node = count.min(self.nodes.len());
        while node > 0 {
            sum += self.nodes.get(node - 1).copied().unwrap_or_default();
            node -= lowest_bit(node);
        }
        sum
    }

    /// Changes the number at `index` from `old` to `new`.
    pub(super) fn change(&mut self, index: usize, old: usize, new: usize) {
        let mut node = index + 1;
        while let Some(sum) = self.nodes.get_mut(node - 1) {
            *sum = (*sum + new).saturating_sub(old);
            node += lowest_bit(node);
        }
    }
}

fn lowest_bit(number: usize) -> usize {
    number & number.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_a_plain_list() {
        let mut plain: Vec<usize> = (0..100).map(|n| n * 7 % 13).collect();
        let mut sums = Sums::of(plain.iter().copied());
        for round in 0..200 {
            let index = round * 31 % plain.len();
            let new = round % 9;
            sums.change(index, plain[index], new);
            plain[index] = new;
            if round % 10 == 0 {
                plain.push(round);
                sums.push(round);
            }
            let count = round % (plain.len() + 1);
            assert_eq!(sums.before(count), plain[..count].iter().sum::<usize>());
        }
    }
}
