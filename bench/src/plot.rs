//! Line plots as SVG, with logarithmic axes where figures span orders of magnitude.

use std::fmt::Write;

/// A plot.
#[derive(Debug, Default)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<PlotLine>,
}

/// One axis.
#[derive(Debug, Default)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) logarithmic: bool,
}

/// The line of one contender.
#[derive(Debug)]
pub(crate) struct PlotLine {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
/// The margins of the plot: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (70.0, 220.0, 40.0, 50.0);
/// Distinguishable with colour vision deficiency (Okabe and Ito, "Color Universal Design").
const COLOURS: [&str; 8] = [
    "#000000", "#d55e00", "#0072b2", "#009e73", "#999999", "#e69f00", "#56b4e9", "#cc79a7",
];

/// Maps figures to positions on one axis.
#[derive(Debug, Clone, Copy)]
struct Scale {
    least: f64,
    most: f64,
    logarithmic: bool,
    from: f64,
    to: f64,
}

impl Scale {
    fn new(figures: impl Iterator<Item = f64>, axis: &Axis, from: f64, to: f64) -> Self {
        let (least, most) = figures
            .filter(|figure| !axis.logarithmic || *figure > 0.0)
            .fold((f64::MAX, f64::MIN), |(least, most), figure| {
                (least.min(figure), most.max(figure))
            });
        let (least, most) = if least > most {
            (1.0, 2.0)
        } else {
            (least, most)
        };
        let least = if axis.logarithmic {
            least
        } else {
            least.min(0.0)
        };
        Self {
            least,
            most: if most > least { most } else { least + 1.0 },
            logarithmic: axis.logarithmic,
            from,
            to,
        }
    }

    fn place(self, figure: f64) -> f64 {
        let map = |figure: f64| {
            if self.logarithmic {
                figure.max(self.least).ln()
            } else {
                figure
            }
        };
        let share = (map(figure) - map(self.least)) / (map(self.most) - map(self.least));
        self.from + share * (self.to - self.from)
    }

    /// Round figures on the axis: 1, 2 and 5 times powers of ten, or steps of one of these.
    fn ticks(self) -> Vec<f64> {
        let inside = |tick: &f64| *tick >= self.least * 0.999 && *tick <= self.most * 1.001;
        if self.logarithmic {
            let decades =
                (-9..10).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
            return decades.filter(inside).collect();
        }
        let rough = (self.most - self.least) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|digit| digit * power)
            .into_iter()
            .find(|step| *step >= rough);
        let step = step.unwrap_or(power);
        (0..20)
            .map(|number| step * f64::from(number))
            .filter(inside)
            .collect()
    }
}

impl Plot {
    /// The plot as SVG.
    pub(crate) fn svg(&self) -> String {
        let (left, right, top, bottom) = MARGIN;
        let all = || self.lines.iter().flat_map(|line| line.points.iter());
        let x = Scale::new(all().map(|point| point.0), &self.x, left, WIDTH - right);
        let y = Scale::new(all().map(|point| point.1), &self.y, HEIGHT - bottom, top);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        text(
            &mut svg,
            (left, 22.0),
            "start",
            &format!("<tspan font-size=\"15\">{}</tspan>", escape(&self.title)),
        );
        for tick in x.ticks() {
            let at = x.place(tick);
            stroke(
                &mut svg,
                &[(at, top), (at, HEIGHT - bottom)],
                "#dddddd",
                1.0,
            );
            text(
                &mut svg,
                (at, HEIGHT - bottom + 16.0),
                "middle",
                &number(tick),
            );
        }
        for tick in y.ticks() {
            let at = y.place(tick);
            stroke(&mut svg, &[(left, at), (WIDTH - right, at)], "#dddddd", 1.0);
            text(&mut svg, (left - 6.0, at + 4.0), "end", &number(tick));
        }
        text(
            &mut svg,
            (f64::midpoint(left, WIDTH - right), HEIGHT - 12.0),
            "middle",
            &escape(&self.x.label),
        );
        let _ = writeln!(
            svg,
            "<text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(top, HEIGHT - bottom),
            escape(&self.y.label)
        );
        for (index, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let points: Vec<_> = line
                .points
                .iter()
                .map(|point| (x.place(point.0), y.place(point.1)))
                .collect();
            stroke(&mut svg, &points, colour, 2.0);
            if points.len() < 20 {
                for (cx, cy) in points {
                    let _ = writeln!(
                        svg,
                        "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3\" fill=\"{colour}\"/>"
                    );
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "there are a handful of lines")]
            let at = top + 10.0 + 20.0 * index as f64;
            let from = WIDTH - right + 14.0;
            stroke(&mut svg, &[(from, at), (from + 18.0, at)], colour, 3.0);
            text(
                &mut svg,
                (from + 24.0, at + 4.0),
                "start",
                &escape(&line.name),
            );
        }
        svg + "</svg>\n"
    }
}

fn stroke(svg: &mut String, points: &[(f64, f64)], colour: &str, width: f64) {
    let points: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let points = points.join(" ");
    let _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, content: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>"
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Formats a figure with as few digits as needed.
fn number(figure: f64) -> String {
    if figure >= 1000.0 {
        format!("{}k", figure / 1000.0)
    } else {
        format!("{}", (figure * 1e6).round() / 1e6)
    }
}

#[cfg(test)]
mod tests;
