"""Submissions and uploads: what somebody asks to have scored, and the files that came for it."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, update

from ..errors import InputError, RejectedError
from . import service, submitting, writing
from .keys import new_key
from .opening import reading
from .schema import now
from .sight import Sight
from .submitted import QUOTAS as QUOTAS
from .submitted import VISIBILITIES as VISIBILITIES
from .submitted import CheckedSubmission as CheckedSubmission
from .submitted import StoredSubmission as StoredSubmission
from .submitted import StoredUpload as StoredUpload
from .submitted import SubmissionKind as SubmissionKind
from .submitted import Usage as Usage
from .submitted import Visibility as Visibility


class Submissions:
    """The submissions and uploads of a store, reached as `store.submissions`.

    Unknown keys raise UnknownNameError, more than an account may have QuotaError.
    """

    def __init__(self, engine: Engine, quotas: Usage = QUOTAS) -> None:
        self.engine = engine
        self.quotas = quotas

    def add(self, account_id: int, checked: CheckedSubmission) -> tuple[StoredSubmission, bool]:
        """The submission, and whether it is new: the same content is given back as it is.

        Other content under a name that the account used before becomes that name's next version.
        Nothing is queued yet. Raises RejectedError if its file is not the account's.
        """

        def work(connection: Connection) -> tuple[StoredSubmission, bool]:
            same = submitting.same_content(connection, account_id, checked.content_hash)
            if same is not None:
                return same, False
            asked = Usage(open_submissions=1, queued_jobs=len(checked.benchmarks))
            submitting.require_room(connection, account_id, asked, self.quotas)
            if checked.blob and not submitting.may_use(connection, account_id, checked.blob):
                raise RejectedError([f"blob: you uploaded no file with SHA-256 {checked.blob}"])
            key = submitting.insert_submission(connection, account_id, checked)
            return submitting.found_submission(connection, key), True

        return writing.commit(self.engine, work)

    def find(self, key: str) -> StoredSubmission:
        """The submission of that key."""
        with reading(self.engine) as connection:
            return submitting.found_submission(connection, key)

    def same_content(self, account_id: int, content_hash: str) -> StoredSubmission | None:
        """The account's submission of that content, if it has one that is not withdrawn."""
        with reading(self.engine) as connection:
            return submitting.same_content(connection, account_id, content_hash)

    def of_account(
        self,
        account_id: int,
        *,
        withdrawn: bool = False,
        before: str | None = None,
        limit: int = 100,
    ) -> tuple[StoredSubmission, ...]:
        """Up to `limit` of the account's submissions, newest first, from below the key `before`.

        Raises InputError if that is none of theirs.
        """
        table = service.Submission
        query = submitting.all_submissions().where(table.account_id == account_id)
        if not withdrawn:
            query = query.where(table.withdrawn_at.is_(None))
        with reading(self.engine) as connection:
            if before is not None:
                query = query.where(table.id < submitting.place_of(connection, account_id, before))
            rows = connection.execute(query.order_by(table.id.desc()).limit(limit))
            return tuple(map(submitting.stored_submission, rows))

    def of_model(self, model: str) -> tuple[StoredSubmission, ...]:
        """All versions of `account/model` that are not withdrawn, newest first."""
        table = service.Submission
        query = submitting.all_submissions().where(
            table.model == model, table.withdrawn_at.is_(None)
        )
        with reading(self.engine) as connection:
            rows = connection.execute(query.order_by(table.version.desc()))
            return tuple(map(submitting.stored_submission, rows))

    def kinds_of_scores(
        self, score_ids: Collection[int], *, model: str | None = None, viewer: int | None = None
    ) -> frozenset[SubmissionKind]:
        """As what the models were handed in that these scores are of; nothing for our own.

        Of submissions that the account `viewer` may see, or anyone who names the `model`.
        """
        sight = Sight(viewer, () if model is None else (model,))
        table, own = service.Submission, service.Ownership
        query = select(table.kind).join(own, own.submission_id == table.id)
        asked = (own.score_id.in_(score_ids), sight.of_submissions())
        with reading(self.engine) as connection:
            return frozenset(connection.scalars(query.where(*asked)))

    def publish(self, key: str, visibility: Visibility) -> StoredSubmission:
        """The submission, which is shown as `visibility` says from now on, as its scores are.

        Other versions of the model stay as they are. Raises InputError for a word that is no
        visibility, and if it was withdrawn.
        """
        if visibility not in VISIBILITIES:
            raise InputError(
                f"visibility is {visibility!r}; expected {', '.join(VISIBILITIES[:-1])} or private"
            )

        def work(connection: Connection) -> StoredSubmission:
            found = submitting.found_submission(connection, key)
            if found.withdrawn_at is not None:
                raise InputError(f"{found.model} version {found.version} was withdrawn")
            table = service.Submission
            own = (table.key == key, table.withdrawn_at.is_(None))
            connection.execute(update(table).where(*own).values(visibility=visibility))
            writing.count_revision(connection)
            return submitting.found_submission(connection, key)

        return writing.commit(self.engine, work)

    def withdraw(self, key: str) -> StoredSubmission:
        """The submission, which is withdrawn: its jobs are cancelled and its scores hidden.

        Another version of the model, if one is left, counts again, and a score that another
        submission shares stays that one's. Its file is let go of; once no submission of the account
        needs it, it no longer counts against the quota.
        """

        def work(connection: Connection) -> StoredSubmission:
            found = submitting.found_submission(connection, key)
            if found.withdrawn_at is None:
                table = service.Submission
                connection.execute(update(table).where(table.key == key).values(withdrawn_at=now()))
                submitting.end_jobs(connection, key)
                submitting.let_go(connection, found)
                writing.count_revision(connection)
            return submitting.found_submission(connection, key)

        return writing.commit(self.engine, work)

    def usage(self, account_id: int) -> Usage:
        """What the account has now."""
        with reading(self.engine) as connection:
            return submitting.read_usage(connection, account_id)

    def begin_upload(self, account_id: int, sha256: str, size: int) -> StoredUpload:
        """The account's upload of that file: one that was begun before, or a new one.

        Raises InputError if it was begun with another size.
        """

        def work(connection: Connection) -> StoredUpload:
            asked = Usage(stored_bytes=size, unfinished_uploads=1)
            begun = submitting.begun_upload(connection, account_id, sha256)
            if begun is not None:
                submitting.require_same_size(begun, size)
                return begun
            submitting.require_room(connection, account_id, asked, self.quotas)
            key = new_key()
            row = {"key": key, "account_id": account_id, "sha256": sha256, "bytes": size}
            connection.execute(insert(service.Upload).values(**row))
            return submitting.found_upload(connection, key)

        return writing.commit(self.engine, work)

    def upload(self, key: str, *, account_id: int | None = None) -> StoredUpload:
        """The upload of that key; with `account_id`, only if it is that account's."""
        with reading(self.engine) as connection:
            found = submitting.found_upload(connection, key)
        if account_id is not None and found.account_id != account_id:
            raise submitting.unknown("upload", key)  # as if it were not there
        return found

    def received(self, key: str, *, before: int, after: int) -> StoredUpload:
        """The upload, of which `after` bytes are here now and `before` were.

        Raises InputError if another process was first.
        """

        def work(connection: Connection) -> StoredUpload:
            table = service.Upload
            done = connection.execute(
                update(table)
                .where(table.key == key, table.received == before, table.finished_at.is_(None))
                .values(received=after)
            )
            found = submitting.found_upload(connection, key)
            if done.rowcount != 1:
                raise InputError(
                    f"{found.received} bytes of the upload are here by now, not {before}: go on "
                    "from there"
                )
            return found

        return writing.commit(self.engine, work)

    def finish_upload(self, key: str) -> StoredUpload:
        """The upload, which is finished: its account may use the blob from now on."""

        def work(connection: Connection) -> StoredUpload:
            table, found = service.Upload, submitting.found_upload(connection, key)
            if found.finished_at is None:
                submitting.ensure_blob(connection, found)
                connection.execute(
                    update(table)
                    .where(table.key == key)
                    .values(received=found.bytes, finished_at=now())
                )
            return submitting.found_upload(connection, key)

        return writing.commit(self.engine, work)

    def drop_upload(self, key: str) -> None:
        """Forget an upload that was not finished, or whose file was not what it was said to be."""

        def work(connection: Connection) -> None:
            connection.execute(delete(service.Upload).where(service.Upload.key == key))

        writing.commit(self.engine, work)

    def forget_stale_uploads(self, *, days: float) -> tuple[str, ...]:
        """The keys of uploads begun longer ago that are unfinished, or that no submission uses.

        Their rows are gone.
        """

        def work(connection: Connection) -> tuple[str, ...]:
            table, before = service.Upload, now() - timedelta(days=days)
            stale = (~submitting.is_used(), table.created_at < before)
            keys = tuple(connection.scalars(select(table.key).where(*stale)))
            connection.execute(delete(table).where(table.key.in_(keys)))
            return keys

        return writing.commit(self.engine, work)

    def may_use(self, account_id: int, sha256: str) -> bool:
        """Whether the account uploaded that file, whole: knowing its checksum is not enough."""
        with reading(self.engine) as connection:
            return submitting.may_use(connection, account_id, sha256)

    def forget_unused_blobs(self, *only: str) -> tuple[str, ...]:
        """The blobs, of `only` these if any are named, that nobody's upload and no job needs.

        Their rows are gone, the files not.
        """

        def work(connection: Connection) -> tuple[str, ...]:
            blob = service.Blob
            chosen = (blob.sha256.in_(only),) if only else ()
            found = select(blob.sha256).where(*chosen, ~submitting.blob_is_needed())
            unused = tuple(connection.scalars(found))
            connection.execute(delete(blob).where(blob.sha256.in_(unused)))
            return unused

        return writing.commit(self.engine, work)
