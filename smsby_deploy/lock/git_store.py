"""A shared lock in its own git branch.

A write is a commit, which is pushed only if the branch is still at the commit that this run knows. It needs only git and the
right to push to that branch. Commits are built from objects, so the checkout, its index and its other branches are not
touched. No hooks and no file system monitor of the checkout run.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from smsby_deploy.errors import Refused
from smsby_deploy.git import SAFE_OPTIONS
from smsby_deploy.lock.lease import (
    Holder,
    Stored,
    StoreFailed,
    WrittenMeanwhile,
    holder_document,
    read_holder,
)

_SAFE = (*SAFE_OPTIONS, "-c", "gc.auto=0", "-c", "protocol.ext.allow=never")
_AUTHOR = {"NAME": "smsby-deploy", "EMAIL": "smsby-deploy@localhost"}
_TIMEOUT = 60.0  # seconds
_PUSH_TIMEOUT = 25.0  # a lease must outlive a push and the check whether it succeeded
_TRIES = 4
_PUSHES = 12
_KEPT = "refs/smsby-deploy"  # of the checkout; neither a branch nor a tag
_CREDENTIALS = re.compile(r"//\S+@")  # a password may have an @ or a /
_REASONS = ("remote: ", "fatal: ", "error: ")  # the server's reason is preferred
_NO_REASON = "fatal: Could not read from remote repository."  # ssh says why in the line before
_NONE = "0" * 40  # the head of a branch that does not exist
_LOCK, _JOURNAL, _ARCHIVE, _HOLDER = "lock.json", "journal", "archive.jsonl", "holder.json"
_FILES = frozenset({_LOCK, _JOURNAL, _ARCHIVE, _HOLDER})


class GitStore:
    """One lock in the branch `ref` of `remote`, in the folder `key`.

    Its version is the id of that folder. Other folders belong to other locks.
    """

    def __init__(self, checkout: Path, remote: str, ref: str, key: str, environ: Mapping[str, str]) -> None:
        self.name = f"{ref} of {remote}"
        self._checkout = checkout
        self._remote = remote
        self._ref = ref
        self._kept = f"{_KEPT}/{remote}/{ref.removeprefix('refs/')}"
        self._key = key
        self._head: str | None = None  # the branch as last seen or written, _NONE if it does not exist
        roles = ("GIT_AUTHOR", "GIT_COMMITTER")
        self._environ = {
            **environ,
            **{f"{role}_{what}": value for role in roles for what, value in _AUTHOR.items()},
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
        }

    def read(self) -> Stored:
        """Return the lock in the branch as it is now; raises StoreFailed."""
        head = self._fetch()
        self._refuse_code(head)
        version = self._version_at(head)
        files = self._list(version) if version else {}
        contents = {name: self._git("cat-file", "blob", blob) for name, blob in files.items()}
        return Stored(
            version,
            read_holder(contents.get(_HOLDER, b"").decode("utf-8", "replace")),
            contents.get(_LOCK),
            contents.get(_JOURNAL, b""),
            contents.get(_ARCHIVE, b""),
        )

    def write(self, before: Stored, after: Stored) -> Stored:
        """Push a commit with `after` on top of the branch; raises as `SharedStore.write`.

        The push is tried again if only other locks in the branch have changed.
        """
        version = self._make_folder(after)
        head = self._head or self._fetch()
        for _ in range(_PUSHES):
            if self._version_at(head) != before.version:
                raise WrittenMeanwhile("another run has written to it")
            commit = self._commit(head, version, after)
            pushed = self._push(head, commit)
            found = commit if pushed.returncode == 0 else self._fetch_soon()
            if found == commit:  # perhaps only the answer was lost
                self._head = commit
                return after._replace(version=version)
            if found == head:
                raise StoreFailed(_why(pushed))
            head = found
        raise StoreFailed("other locks in the branch keep changing; give this one its own branch")

    def is_over(self, holder: Holder) -> bool:
        """Return False, because git does not know which runs are alive."""
        return False

    def _fetch(self) -> str:
        """Fetch the head of the branch with its objects, and return it; _NONE if there is none."""
        self._git("remote", "get-url", self._remote)  # otherwise git would accept a folder of that name
        why = "other runs keep writing to the branch"
        for _ in range(_TRIES):
            self._head = self._ask_head()
            if self._head == _NONE or self._has(self._head):
                return self._head
            fetched = self._fetch_objects()
            if self._has(self._head):
                return self._head
            if fetched.returncode != 0:  # perhaps because another process is fetching, too
                why = _why(fetched)
        raise StoreFailed(why)

    def _ask_head(self) -> str:
        """Return the head of the branch on the server; _NONE if there is no branch."""
        listed = self._git("ls-remote", "--", self._remote, self._ref).decode().splitlines()
        # A branch such as x/refs/heads/smsby-lock, which anyone can push, is listed as well.
        return next(
            (head for head, _, name in (one.partition("\t") for one in listed) if name == self._ref), _NONE
        )

    def _refuse_code(self, head: str) -> None:
        """Refuse a branch that has anything but locks, such as `main`.

        Each request would become a commit on it without review, and its pipelines would run.
        """
        if head == _NONE:
            return
        names = self._git("ls-tree", "-r", "-z", "--name-only", head).decode("utf-8", "replace").split("\0")
        other = next((name for name in names if name and name.rpartition("/")[2] not in _FILES), None)
        if other is not None:
            raise Refused(
                f"{self.name} has files other than locks ({other})",
                hint="name a separate branch in `lock: {git: …, ref: …}`, such as refs/heads/smsby-lock; it need not exist",
            )

    def _has(self, commit: str) -> bool:
        return self._run("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def _fetch_objects(self) -> subprocess.CompletedProcess[bytes]:
        """Fetch the head of the branch and, unless the checkout is shallow, its history.

        The history has a commit for each request, so it grows long. A ref that is not a branch keeps the fetched objects, so
        the next fetch gets only new ones.
        """
        is_shallow = self._git("rev-parse", "--is-shallow-repository").strip() == b"true"
        depth = ["--depth=1"] if is_shallow else []
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", *depth)
        return self._run("fetch", *options, "--", self._remote, f"+{self._ref}:{self._kept}")

    def _version_at(self, head: str) -> str:
        return self._list(head).get(self._key, "") if head != _NONE else ""

    def _list(self, tree: str) -> dict[str, str]:
        """Return the object of each name in a tree."""
        lines = self._git("ls-tree", "-z", tree).decode().split("\0")
        return {name: about.split()[2] for about, _, name in (line.partition("\t") for line in lines if line)}

    def _make_folder(self, stored: Stored) -> str:
        """Write the files of a lock as objects, and return the id of their folder."""
        contents = {
            _ARCHIVE: stored.archive,
            _HOLDER: holder_document(stored.holder).encode(),
            _JOURNAL: stored.journal,
            _LOCK: stored.lock,
        }
        return self._make_tree(
            f"100644 blob {self._id('hash-object', '-w', '--stdin', stdin=content)}\t{name}"
            for name, content in contents.items()
            if content
        )

    def _commit(self, head: str, folder: str, after: Stored) -> str:
        """Return a new commit on `head` in which the lock is `folder`."""
        lines = [] if head == _NONE else self._git("ls-tree", "-z", head).decode().split("\0")
        others = [line for line in lines if line and line.partition("\t")[2] != self._key]
        tree = self._make_tree(sorted([*others, f"040000 tree {folder}\t{self._key}"], key=_name_in))
        parent = () if head == _NONE else ("-p", head)
        by = "release" if after.holder is None else f"{after.holder.command} on {after.holder.host}"
        message = f"{self._key}: {by}"
        return self._id("commit-tree", tree, *parent, stdin=message.encode())

    def _make_tree(self, lines: Iterable[str]) -> str:
        return self._id("mktree", "-z", stdin="".join(f"{line}\0" for line in lines).encode())

    def _push(self, head: str, commit: str) -> subprocess.CompletedProcess[bytes]:
        """Push `commit` if the branch is at `head`."""
        expected = "" if head == _NONE else head
        lease = f"--force-with-lease={self._ref}:{expected}"
        words = ("push", "--quiet", "--porcelain", lease, "--", self._remote, f"{commit}:{self._ref}")
        return self._run(*words, timeout=_PUSH_TIMEOUT)

    def _fetch_soon(self) -> str:
        """Fetch the branch after a failed push, and return its head.

        Asking for the head first would take so long that a run which writes often to another lock would always be faster.
        """
        if self._fetch_objects().returncode != 0:
            return self._fetch()
        return self._id("rev-parse", self._kept, stdin=b"")

    def _id(self, *arguments: str, stdin: bytes) -> str:
        """Return the id of the object that a git command makes from `stdin`; raises StoreFailed."""
        return self._git(*arguments, stdin=stdin).decode().strip()

    def _git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Return the output of a git command; raises StoreFailed."""
        done = self._run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise StoreFailed(_why(done))
        return done.stdout

    def _run(
        self, *arguments: str, stdin: bytes = b"", timeout: float = _TIMEOUT
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603  # fixed commands; the schema limits remote and ref
                ["git", *_SAFE, *arguments],  # noqa: S607  # the git of the user's PATH
                cwd=self._checkout,
                env=self._environ,
                input=stdin,
                capture_output=True,
                timeout=timeout,
                check=False,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                start_new_session=True,  # Ctrl-C is for this program, which records what was sent
            )
        except subprocess.TimeoutExpired as error:
            raise StoreFailed(f"git {arguments[0]} took longer than {timeout:.0f} s") from error
        except OSError as error:
            raise StoreFailed(f"cannot run git: {error.strerror}") from error


def _name_in(line: str) -> str:
    return line.partition("\t")[2]


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    """Return the line that best explains why git failed, without a password in a URL."""
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    lines = [line for line in lines if re.search(r"\w", line.removeprefix("remote:"))] or [
        f"git failed with {done.returncode}"
    ]
    text = next((line for start in _REASONS for line in lines if line.startswith(start)), lines[-1])
    if text == _NO_REASON:
        text = lines[max(0, lines.index(text) - 1)]
    return _CREDENTIALS.sub("//***@", text.strip())
