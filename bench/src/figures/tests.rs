use super::*;

#[test]
fn spread_of_unsorted_samples_is_that_of_sorted_ones() {
    let samples: Samples = (1..=200).rev().map(Duration::from_nanos).collect();

    let expected = Spread {
        min: 1,
        median: 100,
        p99: 198,
        max: 200,
    };
    assert_eq!(samples.spread(), expected);
}

#[test]
fn percentile_of_few_samples_is_one_of_them() {
    let one: Samples = [7].into_iter().collect();
    let none = Samples::default();

    assert_eq!((one.percentile(0), one.percentile(99)), (7, 7));
    assert_eq!(none.percentile(50), 0);
}

#[test]
fn ratio_to_zero_is_none() {
    assert_eq!(ratio(3, 2), Some(1.5));
    assert_eq!(ratio(3, 0), None);
}
