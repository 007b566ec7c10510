//! Pages in HTML: read as browsers do, asked by CSS selectors, told as text.

mod element;
mod page;
mod readable;
mod select;
mod text;

pub use page::Page;
pub use scraper::ElementRef;
pub use select::Selector;
pub use text::text;
