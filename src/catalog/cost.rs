//! What a call costs.

use super::Cost;

const PER_MILLION: f64 = 1e-6;

impl Cost {
    /// US dollars for so many tokens of each class. Where the model has tiers, the whole call is charged at the
    /// tier with the largest threshold that its input (caches included) exceeds.
    pub fn of(&self, input: u64, output: u64, cache_read: u64, cache_write: u64) -> f64 {
        self.with_long_writes(input, output, cache_read, cache_write, 0)
    }

    /// The same where `long_write` of the tokens written to the cache are kept for an hour: that costs twice
    /// what input does.
    pub fn with_long_writes(
        &self,
        input: u64,
        output: u64,
        cache_read: u64,
        cache_write: u64,
        long_write: u64,
    ) -> f64 {
        let size = input.saturating_add(cache_read).saturating_add(cache_write);
        let tier =
            self.tiers.iter().filter(|tier| tier.input_above < size).max_by_key(|tier| tier.input_above);
        let prices = tier.map_or([self.input, self.output, self.cache_read, self.cache_write], |tier| {
            [tier.input, tier.output, tier.cache_read, tier.cache_write]
        });
        let [input_price, ..] = prices;
        let short_write = cache_write.saturating_sub(long_write);
        let tokens = [input, output, cache_read, short_write, cache_write.min(long_write)];
        let prices = prices.into_iter().chain([2.0 * input_price]);
        tokens.into_iter().zip(prices).map(|(tokens, price)| float(tokens) * price).sum::<f64>() * PER_MILLION
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 tokens, which nobody can pay")]
fn float(tokens: u64) -> f64 {
    tokens as f64
}
