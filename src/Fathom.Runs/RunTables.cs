namespace Fathom.Runs;

/// <summary>The parts of a run that are written once, and its resumption.</summary>
internal static class RunTables
{
    public const string InsertEvent = "INSERT INTO event(step, kind, text, utc) VALUES (?1, ?2, ?3, ?4)";

    /// <summary>
    /// Bytes of a page. SQLite writes each page of a row by itself, so that the row of a deep network, hundreds of kilobytes a step,
    /// takes half the time in larger pages; a small one would only be padded, since each step rewrites the pages it touches.
    /// </summary>
    private static int PageSize(int columns) => ((long)columns * TensorRow.SizeInBytes) switch
    {
        < 16 * 1024 => 4096,
        < 256 * 1024 => 8192,
        _ => 16384,
    };

    /// <summary>Writes schema, header and columns in one transaction: a file is either a whole run or none.</summary>
    public static void Create(SqliteDatabase database, RunHeader header, IReadOnlyList<TensorColumn> tensors)
    {
        database.Execute($"PRAGMA page_size = {PageSize(tensors.Count)}");
        database.Execute("BEGIN IMMEDIATE");
        database.Execute($"PRAGMA application_id = {RunFile.ApplicationId}; PRAGMA user_version = {RunFile.SchemaVersion}");
        database.Execute(RunFile.CreateTables);
        using (SqliteStatement insert = database.Prepare("""
            INSERT INTO run(only, id, name, created_utc, model, plan, seed, data, planned_steps, program_version)
            VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            """))
        {
            insert
                .Bind(1, header.Id)
                .Bind(2, header.Name)
                .Bind(3, RunFile.FormatUtc(header.CreatedUtc))
                .Bind(4, header.Model)
                .Bind(5, header.Plan)
                .Bind(6, header.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture))
                .Bind(7, header.Data)
                .Bind(8, header.PlannedSteps)
                .Bind(9, header.ProgramVersion)
                .Execute();
        }

        using (SqliteStatement insert = database.Prepare("INSERT INTO tensor_column VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))
        {
            for (int i = 0; i < tensors.Count; i++)
            {
                TensorColumn column = tensors[i];
                insert
                    .Bind(1, i)
                    .Bind(2, column.Node)
                    .Bind(3, column.Tensor)
                    .Bind(4, (long)column.Role)
                    .Bind(5, column.Depth)
                    .Bind(6, column.Op)
                    .Bind(7, column.Count)
                    .Execute();
            }
        }

        database.Execute("COMMIT");
    }

    public static RunHeader ReadHeader(SqliteDatabase database)
    {
        int schema = checked((int)database.QueryLong("PRAGMA user_version"));
        using SqliteStatement row = database.Prepare(
            "SELECT id, name, created_utc, model, plan, seed, data, planned_steps, program_version FROM run");
        if (!row.Step())
        {
            throw new RunFileException($"'{database.Path}' is damaged: its header is missing. Restore it from a copy.");
        }

        return new RunHeader
        {
            SchemaVersion = schema,
            Id = row.Text(0),
            Name = row.Text(1),
            CreatedUtc = RunFile.ParseUtc(row.Text(2)),
            Model = row.Text(3),
            Plan = row.Text(4),
            Seed = ulong.Parse(row.Text(5), System.Globalization.CultureInfo.InvariantCulture),
            Data = row.Text(6),
            PlannedSteps = row.Long(7),
            ProgramVersion = row.Text(8),
        };
    }

    public static TensorColumn[] ReadColumns(SqliteDatabase database)
    {
        using SqliteStatement row = database.Prepare(
            "SELECT node, tensor, role, depth, op, count FROM tensor_column ORDER BY idx");
        List<TensorColumn> columns = [];
        while (row.Step())
        {
            columns.Add(new TensorColumn(
                row.Text(0), row.Text(1), (TensorRole)row.Long(2), (int)row.Long(3), row.Text(4), row.Long(5)));
        }

        return [.. columns];
    }

    /// <summary>Takes the run back to a step, in one transaction.</summary>
    public static void RemoveAfter(SqliteDatabase database, long step)
    {
        database.Execute("BEGIN IMMEDIATE");
        try
        {
            long last = database.QueryLong("SELECT ifnull(max(step), -1) FROM step");
            if (step > last)
            {
                string end = last < 0 ? "has no step yet" : $"ends at step {last}";
                throw new RunFileException(
                    $"'{database.Path}' cannot be resumed after step {step}: it {end}. Resume from an earlier checkpoint or start a new run.");
            }

            long removed = database.QueryLong($"SELECT count(*) FROM step WHERE step > {step}");
            database.Execute(RunFile.CreateDiagnosis);
            foreach (string table in (string[])["step", "detail", "histogram", "evaluation", "finding", "diagnosis"])
            {
                database.Execute($"DELETE FROM {table} WHERE step > {step}");
            }

            database.Execute("UPDATE run SET status = NULL, ended_utc = NULL");
            using (SqliteStatement insert = database.Prepare(InsertEvent))
            {
                insert
                    .Bind(1, step)
                    .Bind(2, "resumed")
                    .Bind(3, $"resumed after step {step}; {removed} later steps removed")
                    .Bind(4, RunFile.FormatUtc(DateTimeOffset.UtcNow))
                    .Execute();
            }

            database.Execute("COMMIT");
        }
        catch
        {
            database.Rollback();
            throw;
        }
    }
}
