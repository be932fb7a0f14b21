using System.Buffers.Binary;
using System.IO.Compression;

namespace Fathom.Training.Data;

/// <summary>
/// Reads one gzip file and checks at its end that it was whole. <see cref="GZipStream"/> alone takes a file that was
/// cut short for one that ends there, which would silently lose rows.
/// </summary>
internal sealed class GzipReader(FileStream file) : Stream
{
    private readonly GZipStream plain = new(file, CompressionMode.Decompress, leaveOpen: true);
    private readonly uint promised = PromisedLength(file);
    private long total;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => total;
        set => throw new NotSupportedException();
    }

    /// <exception cref="InvalidDataException">The file is damaged, cut short, or several gzip files in one.</exception>
    public override int Read(Span<byte> buffer)
    {
        int read = plain.Read(buffer);
        total += read;
        if (read == 0 && buffer.Length > 0 && (uint)total != promised)
        {
            throw new InvalidDataException($"{total} bytes were read, but {promised} (modulo 2^32) promised.");
        }
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            plain.Dispose();
        }
        base.Dispose(disposing);
    }

    /// <summary>ISIZE, the last four bytes: the length of the plain data modulo 2^32 (RFC 1952, section 2.3.1).</summary>
    private static uint PromisedLength(FileStream file)
    {
        Span<byte> last = stackalloc byte[sizeof(uint)];
        if (file.Length < last.Length)
        {
            throw new InvalidDataException("There is no room for a gzip trailer.");
        }
        file.Position = file.Length - last.Length;
        file.ReadExactly(last);
        file.Position = 0;
        return BinaryPrimitives.ReadUInt32LittleEndian(last);
    }
}
