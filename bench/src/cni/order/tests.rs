use std::collections::BTreeSet;

use super::*;

#[test]
fn order_has_each_contender_once_after_varying_others() {
    for count in [0, 1, 2, 4, 8, 18] {
        let mut after = vec![BTreeSet::new(); count];
        for round in 0..40 {
            let order: Vec<_> = order(round, count).collect();
            assert_eq!(BTreeSet::from_iter(&order).len(), count);
            for pair in order.windows(2) {
                after[pair[1]].insert(pair[0]);
            }
        }
        let least = after.iter().map(BTreeSet::len).min().unwrap_or_default();
        assert!(least >= count.min(5) / 2, "{count}: {after:?}");
    }
}
