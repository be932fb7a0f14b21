namespace Fathom.Runs;

/// <summary>What may be done at the path of a run file.</summary>
internal static class RunPath
{
    private static readonly string[] SideFiles = ["-wal", "-shm", "-journal"];

    public static void RequireFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new RunFileException($"'{path}' is a folder; give the run file itself.");
        }

        if (!File.Exists(path))
        {
            throw new RunFileException($"There is no run file '{path}'; give a file that 'fathom train --run' wrote.");
        }
    }

    /// <summary>Makes way for a new run at the path, or says why that must not be.</summary>
    public static void Clear(string path, bool overwrite)
    {
        RefuseDevice(path);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? path;
        if (!Directory.Exists(folder))
        {
            throw new RunFileException($"The run file '{path}' cannot be created: there is no folder '{folder}'. Create it or choose another path.");
        }

        if (Directory.Exists(path))
        {
            throw new RunFileException($"The run file '{path}' cannot be created: a folder of that name is there. Choose another path.");
        }

        if (!File.Exists(path))
        {
            // SQLite would take a WAL that another run left behind for its own.
            Delete(path);
            return;
        }

        RequireReplaceable(path, overwrite);
        Delete(path);
    }

    /// <summary>A device has length 0, like a file that may be replaced; deleting it would take it from the whole system.</summary>
    private static void RefuseDevice(string path)
    {
        string full = Path.GetFullPath(path);
        bool system = new[] { "/dev/", "/proc/", "/sys/" }.Any(folder => full.StartsWith(folder, StringComparison.Ordinal));
        if (system && !full.StartsWith("/dev/shm/", StringComparison.Ordinal))
        {
            throw new RunFileException($"'{path}' is a device or belongs to the system; choose the path of a file.");
        }
    }

    private static void RequireReplaceable(string path, bool overwrite)
    {
        if (new FileInfo(path).Length == 0)
        {
            return;
        }

        long application;
        SqliteDatabase database = SqliteDatabase.OpenReadWrite(path, create: false);
        using (database)
        {
            try
            {
                application = database.QueryLong("PRAGMA application_id");
            }
            catch (RunFileException e) when ((e.SqliteCode & 0xFF) == SQLitePCL.raw.SQLITE_NOTADB)
            {
                application = 0;
            }

            if (application == 0 && IsEmptyDatabase(database))
            {
                return;
            }

            if (application != RunFile.ApplicationId)
            {
                throw new RunFileException($"'{path}' exists and is not a Fathom run, so it is not overwritten; choose another path.");
            }

            if (!overwrite)
            {
                throw new RunFileException($"'{path}' already holds a run; choose another path, resume it, or ask for it to be overwritten.");
            }

            RequireUnused(database);
        }
    }

    /// <summary>A creation that was killed half-way leaves a database without a page, once SQLite has rolled it back.</summary>
    private static bool IsEmptyDatabase(SqliteDatabase database)
    {
        try
        {
            return database.QueryLong("PRAGMA page_count") == 0;
        }
        catch (RunFileException)
        {
            return false;
        }
    }

    /// <summary>Leaving WAL mode needs the file for itself, so SQLite tells whether anyone else has it open.</summary>
    private static void RequireUnused(SqliteDatabase database)
    {
        database.WaitWhenBusy(200);
        try
        {
            database.Execute("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; COMMIT");
        }
        catch (RunFileException e) when ((e.SqliteCode & 0xFF) == SQLitePCL.raw.SQLITE_BUSY)
        {
            throw new RunFileException(
                $"'{database.Path}' is open in another program (a training run or a dashboard), so it is not overwritten; close that or choose another path.", e);
        }
    }

    private static void Delete(string path)
    {
        File.Delete(path);
        foreach (string suffix in SideFiles)
        {
            File.Delete(path + suffix);
        }
    }
}
