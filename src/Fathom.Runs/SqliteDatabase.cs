using SQLitePCL;

namespace Fathom.Runs;

/// <summary>
/// A connection to one SQLite file, whose errors name the file.
/// </summary>
/// <remarks>
/// The database file must never be opened by other means in this process: closing any descriptor of a file drops all
/// the POSIX locks that the process holds on it, SQLite's among them.
/// </remarks>
internal sealed class SqliteDatabase : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly Action? _onClosed;

    static SqliteDatabase() => Batteries_V2.Init();

    private SqliteDatabase(string path, sqlite3 connection, Action? onClosed)
    {
        Path = path;
        _connection = connection;
        _onClosed = onClosed;
    }

    /// <summary>The path to name in messages.</summary>
    public string Path { get; }

    public bool InTransaction => raw.sqlite3_get_autocommit(_connection) == 0;

    public static SqliteDatabase OpenReadOnly(string path) => Open(path, path, raw.SQLITE_OPEN_READONLY, null);

    public static SqliteDatabase OpenReadWrite(string path, bool create) =>
        Open(path, path, raw.SQLITE_OPEN_READWRITE | (create ? raw.SQLITE_OPEN_CREATE : 0), null);

    /// <summary>Opens a file that nothing can change, without locks or side files.</summary>
    public static SqliteDatabase OpenImmutable(string path)
    {
        string slashed = System.IO.Path.GetFullPath(path).Replace(System.IO.Path.DirectorySeparatorChar, '/');
        string uri = "file://" + (slashed.StartsWith('/') ? "" : "/")
            + string.Join('/', slashed.Split('/').Select(Uri.EscapeDataString)) + "?immutable=1";
        return Open(path, uri, raw.SQLITE_OPEN_READONLY | raw.SQLITE_OPEN_URI, null);
    }

    /// <summary>Opens a copy under the original's name; <paramref name="onClosed"/> removes the copy.</summary>
    public static SqliteDatabase OpenCopy(string path, string copy, Action onClosed) =>
        Open(path, copy, raw.SQLITE_OPEN_READWRITE, onClosed);

    public SqliteStatement Prepare(string sql)
    {
        Check(raw.sqlite3_prepare_v3(_connection, sql, raw.SQLITE_PREPARE_PERSISTENT, out sqlite3_stmt statement));
        return new SqliteStatement(this, statement);
    }

    /// <summary>Runs one or more statements and ignores their rows.</summary>
    public void Execute(string sql) => Check(raw.sqlite3_exec(_connection, sql));

    /// <summary>The first column of the first row, as an integer; 0 when there is no row.</summary>
    public long QueryLong(string sql)
    {
        using SqliteStatement statement = Prepare(sql);
        return statement.Step() ? statement.Long(0) : 0;
    }

    public string QueryText(string sql)
    {
        using SqliteStatement statement = Prepare(sql);
        return statement.Step() ? statement.Text(0) : "";
    }

    public void WaitWhenBusy(int milliseconds) => raw.sqlite3_busy_timeout(_connection, milliseconds);

    public void Rollback()
    {
        if (InTransaction)
        {
            raw.sqlite3_exec(_connection, "ROLLBACK");
        }
    }

    public void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            throw Error(code);
        }
    }

    public RunFileException Error(int code) => Error(Path, _connection, code);

    public void Dispose()
    {
        if (!_connection.IsClosed)
        {
            _connection.Dispose();
            _onClosed?.Invoke();
        }
    }

    private static SqliteDatabase Open(string path, string name, int flags, Action? onClosed)
    {
        int code = raw.sqlite3_open_v2(name, out sqlite3 connection, flags | raw.SQLITE_OPEN_NOMUTEX, null);
        if (code != raw.SQLITE_OK)
        {
            RunFileException error = Error(path, connection, code);
            connection?.Dispose();
            throw error;
        }

        raw.sqlite3_extended_result_codes(connection, 1);
        raw.sqlite3_busy_timeout(connection, 5000);
        return new SqliteDatabase(path, connection, onClosed);
    }

    private static RunFileException Error(string path, sqlite3? connection, int code)
    {
        string reason = (code & 0xFF) switch
        {
            raw.SQLITE_NOTADB => "is not an SQLite file, so not a Fathom run; give a file that 'fathom train --run' wrote",
            raw.SQLITE_CORRUPT => "is damaged (SQLite: database disk image is malformed); restore it from a copy",
            raw.SQLITE_FULL => "cannot grow: the disk is full; free some space or put the run elsewhere",
            raw.SQLITE_CANTOPEN => "cannot be opened; check that the file and its folder may be read",
            raw.SQLITE_READONLY => "cannot be written; check the permissions of the file and its folder",
            raw.SQLITE_BUSY => "is in use by another program; wait for it or choose another file",
            _ => "failed in SQLite: "
                + (connection is { IsInvalid: false } ? raw.sqlite3_errmsg(connection).utf8_to_string() : null)
                + $" (code {code})",
        };
        return new RunFileException($"'{path}' {reason}.") { SqliteCode = code };
    }
}
