//! Pages in HTML: read as browsers do, asked by CSS selectors, told as text.

mod readable;
mod select;
mod text;
mod tree;

pub use select::Selector;
pub use tree::Page;
