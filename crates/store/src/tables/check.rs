//! Reads every page of `tables.db`, free ones included.

use super::files::{self, FILE, Interrupted};
use super::page::{self, PAGE_BYTES, PAGE_LENGTH, Page};
use crate::disk::{Disk, Mode};
use crate::error::StoreError;

/// A page that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFinding {
    /// Its number, from 1.
    pub page: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// What reading all pages found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCheck {
    /// Pages read.
    pub pages: u64,
    /// A transaction was cut short and is rolled back at the next open for writing; until then pages may be
    /// torn for a good reason, and none of them is a finding.
    pub interrupted: bool,
    /// What is wrong, in page order.
    pub findings: Vec<PageFinding>,
}

/// Reads every page of the tables and checks its checksum; writes nothing. A folder without tables has none.
///
/// **Errors**: the file cannot be read.
pub fn check_pages(disk: &dyn Disk) -> Result<PageCheck, StoreError> {
    let mut check = PageCheck { pages: 0, interrupted: false, findings: Vec::new() };
    if !files::exists(disk)? {
        return Ok(check);
    }
    check.interrupted = files::interrupted(disk)? == Interrupted::Yes;
    if check.interrupted {
        return Ok(check);
    }
    let failed = |error| StoreError::io(format_args!("read `{FILE}`"), &error);
    let file = disk.open(FILE, Mode::Read).map_err(failed)?;
    let length = file.length().map_err(failed)?;
    if length == 0 {
        check.findings.push(PageFinding { page: 1, what: "a page that is cut short" });
    }
    let mut page: Page = [0; PAGE_BYTES];
    let mut declared = 0;
    for offset in (0..length).step_by(PAGE_BYTES) {
        let number = page::number_at(offset);
        check.pages = number;
        let read = file.read_at(&mut page, offset).map_err(failed)?;
        if read < PAGE_BYTES {
            check.findings.push(PageFinding { page: number, what: "a page that is cut short" });
        } else if !page::is_intact(number, &page) {
            let what = "a page whose checksum does not match";
            check.findings.push(PageFinding { page: number, what });
        }
        if number == 1 {
            declared = u64::from(page::count(&page));
        }
    }
    let first_is_intact = check.findings.first().is_none_or(|finding| finding.page != 1);
    let missing_or_extra = declared.min(length / PAGE_LENGTH) + 1;
    let known = check.findings.iter().any(|finding| finding.page == missing_or_extra);
    if first_is_intact && declared * PAGE_LENGTH != length && !known {
        let what = "not the number of pages that page 1 states";
        check.findings.push(PageFinding { page: missing_or_extra, what });
        check.findings.sort_by_key(|finding| finding.page);
    }
    Ok(check)
}
