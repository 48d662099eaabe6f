//! Figures beside their goals.

use std::ops::{RangeFrom, RangeInclusive};

/// Prints as it goes, or nothing.
pub struct Table {
    shown: bool,
}

impl Table {
    pub fn new(shown: bool) -> Self {
        Self { shown }
    }

    /// A heading.
    pub fn head(&self, text: &str) {
        if self.shown {
            println!("\n{text}");
        }
    }

    /// A figure that should be at least its goal.
    pub fn row(&self, name: &str, figure: f64, unit: &str, goal: Option<RangeFrom<f64>>) {
        let goal = goal.map(|goal| (format!("at least {} {unit}", goal.start), goal.contains(&figure)));
        self.print(name, figure, unit, goal);
    }

    /// A figure that should be at most its goal.
    pub fn row_below(&self, name: &str, figure: f64, unit: &str, goal: f64) {
        self.print(name, figure, unit, Some((format!("at most {goal} {unit}"), figure <= goal)));
    }

    /// A figure that should lie between two.
    pub fn row_within(&self, name: &str, figure: f64, unit: &str, goal: RangeInclusive<f64>) {
        let text = format!("{} to {} {unit}", goal.start(), goal.end());
        self.print(name, figure, unit, Some((text, goal.contains(&figure))));
    }

    /// A figure that cannot be had everywhere.
    pub fn maybe(&self, name: &str, figure: Option<f64>, unit: &str, goal: f64) {
        match figure {
            Some(figure) => self.row(name, figure, unit, (goal > 0.0).then_some(goal..)),
            None if self.shown => println!("  {name:<52} {:>9}   (Python's package pesq is not installed)", "–"),
            None => {}
        }
    }

    fn print(&self, name: &str, figure: f64, unit: &str, goal: Option<(String, bool)>) {
        if !self.shown {
            return;
        }
        let decimals = if figure.abs() < 5.0 { 2 } else { 1 };
        let goal = goal.map_or(String::new(), |(goal, met)| format!("{goal}{}", if met { "" } else { "   MISSED" }));
        println!("  {name:<52} {figure:>9.decimals$} {unit:<5} {goal}");
    }
}
