use super::*;

fn axis(logarithmic: bool) -> Axis {
    Axis {
        label: "x".to_owned(),
        logarithmic,
    }
}

#[test]
fn figures_on_each_kind_of_axis_map_to_positions() {
    for (logarithmic, figure, place) in [
        (false, 0.0, 0.0),
        (false, 50.0, 50.0),
        (true, 1.0, 0.0),
        (true, 10.0, 50.0),
        (true, 100.0, 100.0),
    ] {
        let scale = Scale::new([1.0, 100.0].into_iter(), &axis(logarithmic), 0.0, 100.0);
        assert!(
            (scale.place(figure) - place).abs() < 1e-9,
            "{logarithmic} {figure}"
        );
    }
}

#[test]
fn ticks_are_round_and_inside_the_axis() {
    let ticks =
        |logarithmic| Scale::new([3.0, 60.0].into_iter(), &axis(logarithmic), 0.0, 1.0).ticks();
    assert_eq!(ticks(true), [5.0, 10.0, 20.0, 50.0]);
    assert_eq!(ticks(false), [0.0, 20.0, 40.0, 60.0]);
}

#[test]
fn line_name_with_markup_is_escaped() {
    let plot = Plot {
        title: "a < b & c".to_owned(),
        ..Plot::default()
    };
    assert!(plot.svg().contains("a &lt; b &amp; c"));
}
