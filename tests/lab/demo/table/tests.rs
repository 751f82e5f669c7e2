
use super::*;

#[test]
fn columns_line_up_and_colours_take_no_space() {
    let rows = [
        vec![
            Cell::new(Style::Name, "n1/a"),
            Cell::right(Style::Good, "7"),
        ],
        vec![
            Cell::new(Style::Name, "n1"),
            Cell::right(Style::Bad, "✗"),
            Cell::new(Style::Plain, ""),
        ],
        vec![
            Cell::new(Style::Name, "n2"),
            Cell::right(Style::Good, "1234"),
        ],
    ];
    assert_eq!(
        render(&rows, Paint::Nothing),
        "  n1/a     7\n  n1       ✗\n  n2    1234\n"
    );
    let coloured = render(&rows[..1], Paint::Colours);
    assert_eq!(coloured, "  \x1b[1;36mn1/a\x1b[0m  \x1b[32m7\x1b[0m\n");
}
