//! Finds the distribution's PostgreSQL with PostGIS, and says exactly what to install where there is none. Nothing is
//! downloaded or bundled: the security updates of a database under people's lives come from the distribution.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::ClusterError;

/// Where Debian and Ubuntu keep one directory a major version.
const DISTRIBUTION_ROOT: &str = "/usr/lib/postgresql";

/// Oldest major that Herald runs on: Ubuntu 22.04's.
pub const OLDEST_MAJOR: u32 = 14;

/// A usable installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Major version, such as 15.
    pub major: u32,
    /// Directory of `postgres` and `initdb`.
    pub bin: PathBuf,
}

impl Install {
    /// Finds one: the given `bin` directory, or else the newest major below `/usr/lib/postgresql` that has PostGIS.
    ///
    /// # Errors
    /// [`ClusterError::NotInstalled`], with the command that installs what is missing.
    pub fn find(bin: Option<&Path>) -> Result<Self, ClusterError> {
        match bin {
            Some(bin) => Self::at(bin),
            None => Self::newest_below(Path::new(DISTRIBUTION_ROOT)),
        }
    }

    /// The installation in one `bin` directory (`HERALD_PG_BIN`).
    fn at(bin: &Path) -> Result<Self, ClusterError> {
        let missing = |reason: String| ClusterError::NotInstalled {
            reason,
            install: install_command(None),
        };
        let major = version_of(&bin.join("postgres")).ok_or_else(|| {
            missing(format!(
                "HERALD_PG_BIN: no runnable `postgres` in {}",
                bin.display()
            ))
        })?;
        if major < OLDEST_MAJOR {
            return Err(missing(format!(
                "HERALD_PG_BIN: PostgreSQL {major} is older than {OLDEST_MAJOR}"
            )));
        }
        if !has_postgis(bin, major) {
            return Err(ClusterError::NotInstalled {
                reason: format!(
                    "HERALD_PG_BIN: PostgreSQL {major} in {} has no PostGIS",
                    bin.display()
                ),
                install: install_command(Some(major)),
            });
        }
        Ok(Self {
            major,
            bin: bin.to_owned(),
        })
    }

    /// The newest major below `root` that has PostGIS.
    fn newest_below(root: &Path) -> Result<Self, ClusterError> {
        let mut majors: Vec<u32> = std::fs::read_dir(root)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|&major: &u32| major >= OLDEST_MAJOR)
            .filter(|major| root.join(major.to_string()).join("bin/postgres").exists())
            .collect();
        majors.sort_unstable_by(|a, b| b.cmp(a));
        let bin_of = |major: u32| root.join(major.to_string()).join("bin");
        if let Some(&major) = majors
            .iter()
            .find(|&&major| has_postgis(&bin_of(major), major))
        {
            return Ok(Self {
                major,
                bin: bin_of(major),
            });
        }
        Err(match majors.first() {
            Some(&major) => ClusterError::NotInstalled {
                reason: format!("PostgreSQL {major} is installed, but without PostGIS"),
                install: install_command(Some(major)),
            },
            None => ClusterError::NotInstalled {
                reason: format!(
                    "no PostgreSQL {OLDEST_MAJOR} or later below {}",
                    root.display()
                ),
                install: install_command(None),
            },
        })
    }
}

/// The major version that `postgres --version` reports.
fn version_of(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres)
        .arg("--version")
        .env_clear()
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Whether the `share` directory that belongs to `bin` has the PostGIS extension.
fn has_postgis(bin: &Path, major: u32) -> bool {
    let reported = Command::new(bin.join("pg_config"))
        .arg("--sharedir")
        .env_clear()
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|text| PathBuf::from(text.trim()));
    let usual = [
        PathBuf::from(format!("/usr/share/postgresql/{major}")),
        bin.join("../share"),
        bin.join("../share/postgresql"),
    ];
    match reported {
        Some(share) if !share.as_os_str().is_empty() => {
            share.join("extension/postgis.control").exists()
        }
        _ => usual
            .iter()
            .any(|share| share.join("extension/postgis.control").exists()),
    }
}

/// The command that installs what is missing; `major` where PostgreSQL itself is there.
fn install_command(major: Option<u32>) -> String {
    let major = major.or_else(|| {
        distribution_major(&std::fs::read_to_string("/etc/os-release").unwrap_or_default())
    });
    match major {
        Some(n) => format!(
            "apt-get install -y --no-install-recommends postgresql-{n} postgresql-{n}-postgis-3"
        ),
        None => {
            "apt-get install -y --no-install-recommends postgresql postgresql-postgis".to_owned()
        }
    }
}

/// The PostgreSQL major of the distribution that this `os-release` text names.
fn distribution_major(os_release: &str) -> Option<u32> {
    let codename = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?
        .trim_matches('"');
    match codename {
        "jammy" => Some(14),
        "bookworm" => Some(15),
        "noble" => Some(16),
        "trixie" => Some(17),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_root_is_refused_with_the_command_to_run() {
        let root = tempfile::tempdir().unwrap();
        let text = Install::newest_below(root.path()).unwrap_err().to_string();
        assert!(text.contains("no PostgreSQL 14 or later"), "{text}");
        assert!(
            text.contains("apt-get install -y --no-install-recommends postgresql"),
            "{text}"
        );
    }

    #[test]
    fn a_postgresql_without_postgis_names_the_package_of_its_own_major() {
        let root = tempfile::tempdir().unwrap();
        for major in ["9", "97", "98"] {
            std::fs::create_dir_all(root.path().join(major).join("bin")).unwrap();
            std::fs::write(root.path().join(major).join("bin/postgres"), "").unwrap();
        }
        let text = Install::newest_below(root.path()).unwrap_err().to_string();
        assert!(
            text.contains("PostgreSQL 98 is installed, but without PostGIS"),
            "{text}"
        );
        assert!(text.contains("postgresql-98-postgis-3"), "{text}");
    }

    #[test]
    fn the_newest_major_that_has_postgis_is_taken() {
        let root = tempfile::tempdir().unwrap();
        for (major, postgis) in [("97", true), ("98", true), ("99", false)] {
            let dir = root.path().join(major);
            std::fs::create_dir_all(dir.join("bin")).unwrap();
            std::fs::create_dir_all(dir.join("share/extension")).unwrap();
            std::fs::write(dir.join("bin/postgres"), "").unwrap();
            if postgis {
                std::fs::write(dir.join("share/extension/postgis.control"), "").unwrap();
            }
        }
        let found = Install::newest_below(root.path()).unwrap();
        assert_eq!(
            found,
            Install {
                major: 98,
                bin: root.path().join("98/bin")
            }
        );
    }

    #[test]
    fn each_supported_distribution_has_its_own_major() {
        assert_eq!(
            distribution_major("NAME=x\nVERSION_CODENAME=bookworm\n"),
            Some(15)
        );
        assert_eq!(distribution_major("VERSION_CODENAME=\"jammy\"\n"), Some(14));
        assert_eq!(distribution_major("VERSION_CODENAME=sid\n"), None);
    }
}
