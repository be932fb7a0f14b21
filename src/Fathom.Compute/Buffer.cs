namespace Fathom.Compute;

/// <summary>
/// A run of elements in native memory that does not move: unlike a <see cref="Span{T}"/> it can be stored in a plan
/// and handed to a worker thread. It owns nothing; <see cref="AlignedMemory{T}"/> does.
/// </summary>
public readonly unsafe struct Buffer<T>(T* pointer, int length) where T : unmanaged
{
    public T* Pointer { get; } = pointer;

    public int Length { get; } = length;

    public bool IsEmpty => Length == 0;

    public Span<T> Span => new(Pointer, Length);

    public Buffer<T> Slice(int start, int length)
    {
        if ((uint)start > (uint)Length || (uint)length > (uint)(Length - start))
        {
            throw new ArgumentOutOfRangeException(nameof(start), $"A slice [{start}, {start + length}) does not lie within a buffer of {Length} elements.");
        }
        return new Buffer<T>(Pointer + start, length);
    }

    public static implicit operator Span<T>(Buffer<T> buffer) => buffer.Span;

    public static implicit operator ReadOnlySpan<T>(Buffer<T> buffer) => buffer.Span;
}
