namespace Fathom.Runs;

/// <summary>The layout of a run file. docs/run-file.md describes it for readers in other languages.</summary>
public static class RunFile
{
    /// <summary>The schema this version writes, and the newest it reads.</summary>
    public const int SchemaVersion = 1;

    /// <summary>The ASCII letters FTHM, big-endian, in SQLite's application_id.</summary>
    public const int ApplicationId = 0x4654484D;

    // Scalars and detail lie in separate tables: a loss curve over 100,000 steps then reads some megabytes rather than
    // all the tensor rows, and dropping a step's detail does not rewrite its scalars.
    internal const string CreateTables = """
        CREATE TABLE run(
            only INTEGER PRIMARY KEY CHECK (only = 1),
            id TEXT NOT NULL, name TEXT NOT NULL, created_utc TEXT NOT NULL,
            model TEXT NOT NULL, plan TEXT NOT NULL, seed TEXT NOT NULL, data TEXT NOT NULL,
            planned_steps INTEGER NOT NULL, program_version TEXT NOT NULL,
            status TEXT, ended_utc TEXT,
            detail_stride INTEGER NOT NULL DEFAULT 1);
        CREATE TABLE tensor_column(
            idx INTEGER PRIMARY KEY,
            node TEXT NOT NULL, tensor TEXT NOT NULL, role INTEGER NOT NULL,
            depth INTEGER NOT NULL, op TEXT NOT NULL, count INTEGER NOT NULL);
        CREATE TABLE step(
            step INTEGER PRIMARY KEY,
            epoch INTEGER NOT NULL, loss REAL, learning_rate REAL,
            gradient_norm REAL, clipped_gradient_norm REAL, elapsed_ms REAL);
        CREATE TABLE detail(
            step INTEGER PRIMARY KEY,
            rows BLOB NOT NULL);
        CREATE TABLE histogram(
            step INTEGER NOT NULL, idx INTEGER NOT NULL, bins BLOB NOT NULL,
            PRIMARY KEY (step, idx)) WITHOUT ROWID;
        CREATE TABLE evaluation(
            id INTEGER PRIMARY KEY,
            step INTEGER NOT NULL, epoch INTEGER NOT NULL, split TEXT NOT NULL,
            loss REAL, metric REAL, metric_name TEXT NOT NULL);
        CREATE TABLE finding(
            id INTEGER PRIMARY KEY,
            step INTEGER NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL,
            cause TEXT NOT NULL, confidence REAL, json TEXT NOT NULL);
        """ + CreateDiagnosis + """
        CREATE TABLE event(
            id INTEGER PRIMARY KEY,
            step INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, utc TEXT NOT NULL);
        CREATE TABLE pin(
            first INTEGER NOT NULL, last INTEGER NOT NULL);
        """;

    // Files of earlier versions lack it; a run that is continued gets it then.
    internal const string CreateDiagnosis = """
        CREATE TABLE IF NOT EXISTS diagnosis(
            id INTEGER PRIMARY KEY,
            step INTEGER NOT NULL, json TEXT NOT NULL);
        """;

    internal static string FormatUtc(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", System.Globalization.CultureInfo.InvariantCulture);

    internal static DateTimeOffset ParseUtc(string text) =>
        DateTimeOffset.Parse(
            text,
            System.Globalization.CultureInfo.InvariantCulture,
            System.Globalization.DateTimeStyles.AssumeUniversal | System.Globalization.DateTimeStyles.AdjustToUniversal);

    /// <summary>Throws unless the database says that it is a Fathom run of a schema this version knows.</summary>
    internal static void RequireRun(SqliteDatabase database)
    {
        if (database.QueryLong("PRAGMA application_id") != ApplicationId)
        {
            throw new RunFileException(
                $"'{database.Path}' is an SQLite database but not a Fathom run; give a file that 'fathom train --run' wrote.");
        }

        long schema = database.QueryLong("PRAGMA user_version");
        if (schema > SchemaVersion)
        {
            throw new RunFileException(
                $"'{database.Path}' is a Fathom run of schema {schema}; this version reads up to schema {SchemaVersion}. Update Fathom to read it.");
        }
    }
}
