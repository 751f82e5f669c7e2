use super::*;

#[test]
fn text_is_coloured_only_on_a_terminal_with_colours() {
    let coloured = Terminal {
        width: Some(80),
        colours: true,
    };
    assert_eq!(coloured.paint("x", Tone::Bad), "\u{1b}[31mx\u{1b}[0m");
    assert_eq!(coloured.paint("x", Tone::Plain), "x");
    assert_eq!(Terminal::PIPE.paint("x", Tone::Bad), "x");
}
