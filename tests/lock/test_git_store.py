"""A lock in a git branch: what it touches, and what it trusts. test_shared_stores.py has what all stores guarantee."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from smsby_deploy.errors import Refused
from smsby_deploy.lock.git_store import GitStore, _why
from smsby_deploy.lock.lease import Stored, StoreFailed

_REF = "refs/heads/smsby-lock"


def _git(checkout: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=checkout, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _open(checkout: Path, remote: str = "origin", key: str = "shop.production") -> GitStore:
    return GitStore(checkout, remote, _REF, key, os.environ)


def test_git_store_touches_only_its_branch(git_remote: Path) -> None:
    """The checkout, its index and its other branches stay unchanged."""
    (git_remote / "sale.yaml").write_text("version: 1\n")
    _git(git_remote, "add", "sale.yaml")
    before = _git(git_remote, "status", "--porcelain=v2", "--branch")
    _open(git_remote).write(Stored(), Stored(lock=b"{}"))
    assert _git(git_remote, "status", "--porcelain=v2", "--branch") == before
    assert _git(git_remote, "branch") == ""
    assert _git(git_remote, "ls-remote", "origin").split()[1:] == [_REF]


@pytest.mark.parametrize("name", ["smsby.yaml", "shop/sale.yaml"])
def test_git_store_refuses_a_branch_with_code(git_remote: Path, name: str) -> None:
    """A branch with code is refused, so that main does not get a commit for each request."""
    path = git_remote / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("version: 1\n")
    _git(git_remote, "add", ".")
    _git(git_remote, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "A campaign")
    _git(git_remote, "push", "-q", "origin", "HEAD:refs/heads/main")
    before = _git(git_remote, "ls-remote", "origin")
    store = GitStore(git_remote, "origin", "refs/heads/main", "shop.production", os.environ)
    with pytest.raises(Refused, match=rf"main of origin has files other than locks \({name}\)"):
        store.read()
    assert _git(git_remote, "ls-remote", "origin") == before


def test_git_store_takes_no_branch_with_a_longer_name(git_remote: Path) -> None:
    """A branch whose name merely ends like the lock's is not used: other users may push such branches."""
    longer = GitStore(git_remote, "origin", f"refs/heads/a/{_REF}", "shop.production", os.environ)
    longer.write(Stored(), Stored(lock=b"forged"))
    assert _open(git_remote).read() == Stored()
    written = _open(git_remote).write(Stored(), Stored(lock=b"{}"))
    assert _open(git_remote).read() == written


def test_git_store_keeps_a_history(git_remote: Path) -> None:
    """Every write is a commit on top of the last, so an older lock can be restored."""
    store = _open(git_remote)
    first = store.write(Stored(), Stored(lock=b"1"))
    store.write(first, first._replace(lock=b"2"))
    _git(git_remote, "fetch", "-q", "origin", _REF)
    assert _git(git_remote, "show", "FETCH_HEAD~1:shop.production/lock.json") == "1"
    _git(git_remote, "fsck", "--strict")


@pytest.mark.parametrize(("depth", "commits"), [(["--depth=1"], 1), ([], 5)])
def test_git_store_fetches_little(git_remote: Path, depth: list[str], commits: int) -> None:
    """A shallow checkout fetches one commit, and any other fetches each commit only once."""
    store = _open(git_remote)
    stored = Stored()
    for number in range(5):
        stored = store.write(stored, stored._replace(lock=b"%d" % number))
    tree = _git(git_remote, "mktree")
    commit = _git(git_remote, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit-tree", tree, "-m", "1")
    _git(git_remote, "push", "-q", "origin", f"{commit}:refs/heads/main")
    clone = git_remote.parent / "clone"
    url = (git_remote.parent / "remote.git").as_uri()
    _git(git_remote, "clone", "-q", "--single-branch", "--branch", "main", *depth, url, str(clone))
    other = _open(clone)
    assert other.read() == stored
    (kept,) = _git(clone, "for-each-ref", "--format=%(refname)", "refs/smsby-deploy").split()
    assert _git(clone, "rev-list", "--count", kept) == str(commits)
    written = other.write(stored, stored._replace(lock=b"6"))
    assert store.read() == written
    store.write(written, written._replace(lock=b"7"))
    assert other.read().lock == b"7"
    assert _git(clone, "branch", "--format=%(refname:short)") == "main"


def _log_reads(checkout: Path) -> Path:
    """Return a file to which each later read from the remote adds a line."""
    serve = checkout.parent / "serve"
    serve.write_text('#!/bin/sh\necho >>"$0.log"\nexec git-upload-pack "$@"\n')
    serve.chmod(0o755)
    _git(checkout, "config", "remote.origin.uploadpack", str(serve))
    return checkout.parent / "serve.log"


def test_git_store_asks_the_server_rarely(git_remote: Path) -> None:
    """A write only pushes, and a read fetches only if the branch has changed."""
    log = _log_reads(git_remote)
    store, other = _open(git_remote), _open(git_remote.parent / "other")
    _git(git_remote.parent, "clone", "-q", str(git_remote.parent / "remote.git"), "other")
    asked = []
    stored = store.read()
    for number in range(2):
        stored = store.write(stored, stored._replace(lock=b"%d" % number))
        assert store.read() == stored
        asked.append(log.read_text().count("\n"))
    other.write(other.read(), Stored(lock=b"2"))
    assert store.read().lock == b"2"
    asked.append(log.read_text().count("\n"))
    assert asked == [2, 3, 5]


@pytest.mark.parametrize(("others", "is_written"), [(11, True), (12, False)])
def test_git_store_gives_way_to_other_locks(git_remote: Path, others: int, is_written: bool) -> None:
    """A push is tried again, after a single read, if the branch was changed for another lock, but not without end."""
    store = _open(git_remote)
    held = store.write(Stored(), Stored(lock=b"{}"))
    hook = git_remote.parent / "remote.git" / "hooks" / "update"
    hook.write_text(
        "#!/bin/sh\n[ $(cat others) -gt 0 ] || exit 0\necho $(($(cat others) - 1)) >others\n"
        "export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a\n"
        f'git update-ref {_REF} $(git commit-tree {_REF}^{{tree}} -p {_REF} -m "$(cat others)")\nexit 1\n'
    )
    hook.chmod(0o755)
    (hook.parent.parent / "others").write_text(f"{others}\n")
    log = _log_reads(git_remote)
    if is_written:
        held = store.write(held, held._replace(lock=b"[]"))
    else:
        with pytest.raises(StoreFailed, match="other locks in the branch keep changing"):
            store.write(held, held._replace(lock=b"[]"))
    assert log.read_text().count("\n") == others
    assert _open(git_remote).read() == held


def test_git_store_finds_a_push_without_an_answer(git_remote: Path) -> None:
    """A push that the server took before it went away counts as a write."""
    hook = git_remote.parent / "remote.git" / "hooks" / "reference-transaction"
    hook.write_text('#!/bin/sh\n[ "$1" != committed ] || kill -9 $PPID\n')
    hook.chmod(0o755)
    store = _open(git_remote)
    held = store.write(Stored(), Stored(lock=b"{}"))
    again = store.write(held, held._replace(lock=b"[]"))
    assert _open(git_remote).read() == again


def test_git_store_says_that_the_branch_cannot_be_fetched(git_remote: Path) -> None:
    """A branch whose objects the server cannot send is an error, not an empty lock."""
    written = _open(git_remote).write(Stored(), Stored(lock=b"{}"))
    blob = _git(git_remote, "rev-parse", f"{written.version}:lock.json")
    (git_remote.parent / "remote.git" / "objects" / blob[:2] / blob[2:]).unlink()
    clone = git_remote.parent / "clone"
    _git(git_remote.parent, "init", "-q", "clone")
    _git(clone, "remote", "add", "origin", (git_remote.parent / "remote.git").as_uri())
    with pytest.raises(StoreFailed, match=r"remote: |fatal: "):
        _open(clone).read()


@pytest.mark.parametrize(
    ("timeout", "path", "why"),
    [(0.0, None, "git remote took longer than 0 s"), (60.0, "/nowhere", "cannot run git")],
)
def test_git_store_without_an_answer_of_git(
    git_remote: Path, monkeypatch: pytest.MonkeyPatch, timeout: float, path: str | None, why: str
) -> None:
    """A git that hangs is not waited for, and a missing one is named."""
    monkeypatch.setitem(GitStore._run.__kwdefaults__, "timeout", timeout)
    environ = os.environ if path is None else {"PATH": path}
    with pytest.raises(StoreFailed, match=why):
        GitStore(git_remote, "origin", _REF, "shop.production", environ).read()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["remote: ", "remote: ====", "remote: ", "remote: GitLab: No.", "To x"], "remote: GitLab: No."),
        (["error: first", "fatal: second"], "fatal: second"),
        (
            ["ssh: no route", "fatal: Could not read from remote repository.", "", "Please make sure"],
            "ssh: no route",
        ),
        (["fatal: Could not read from remote repository."], "fatal: Could not read from remote repository."),
        (["odd", "words", ""], "words"),
        ([], "git failed with -9"),
    ],
)
def test_git_store_says_why_git_failed(lines: list[str], why: str) -> None:
    """The reason of the server is given, not the frame around it, or else the reason of git or ssh."""
    assert _why(subprocess.CompletedProcess([], -9, b"", "\n".join(lines).encode())) == why


def test_git_store_runs_no_hook_of_the_checkout(git_remote: Path) -> None:
    """Hooks of the checkout are not run."""
    hook = git_remote / ".git" / "hooks" / "pre-push"
    hook.write_text("#!/bin/sh\ntouch pwned\nexit 1\n")
    hook.chmod(0o755)
    _open(git_remote).write(Stored(), Stored(lock=b"{}"))
    assert not (git_remote / "pwned").exists()


def test_git_store_takes_no_folder_for_a_remote(git_remote: Path) -> None:
    """A path is not accepted as a remote, since a pull request could add a repository to the checkout."""
    subprocess.run(["git", "init", "-q", "--bare", git_remote / "backup"], check=True)
    with pytest.raises(StoreFailed, match="No such remote 'backup'"):
        _open(git_remote, "backup").read()


def test_git_store_shows_no_password(git_remote: Path) -> None:
    """A password in the URL of the remote is not shown."""
    _git(git_remote, "remote", "set-url", "origin", "http://user:geheim@127.0.0.1:1/lock.git")
    with pytest.raises(StoreFailed) as caught:
        _open(git_remote).read()
    assert "127.0.0.1" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("password", ["ge@heim", "ge/heim"])
def test_git_store_shows_no_odd_password(password: str) -> None:
    """A password is not shown even in a URL that git repeats as written."""
    text = f"fatal: unable to access 'https://anna:{password}@host.example/lock.git': no route"
    why = _why(subprocess.CompletedProcess([], 128, b"", text.encode()))
    assert why == "fatal: unable to access 'https://***@host.example/lock.git': no route"


def test_git_store_is_not_ended_by_ctrl_c(git_remote: Path) -> None:
    """Ctrl-C, which a terminal sends to the whole process group, does not end a push that has begun."""
    hook = git_remote.parent / "remote.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\ncut -d' ' -f6 /proc/$$/stat >session\n")
    hook.chmod(0o755)
    _open(git_remote).write(Stored(), Stored(lock=b"{}"))
    session = int((git_remote.parent / "remote.git" / "session").read_text())
    assert session != os.getsid(0)


def test_git_store_refused_by_the_server(git_remote: Path) -> None:
    """A branch that the run may not push to is an error that says so, not a lost lock."""
    hook = git_remote.parent / "remote.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected branch' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(StoreFailed, match=r"pre-receive hook declined|protected branch"):
        _open(git_remote).write(Stored(), Stored(lock=b"{}"))
    assert _open(git_remote).read() == Stored()
