using System.Numerics;
using System.Runtime.CompilerServices;
using Fathom.Compute;

namespace Fathom.Graphs.Ops;

/// <summary>
/// The products of capsules with their weights: û_ni = W_i·u_ni for every sample n and input capsule i, with the votes for
/// all output capsules side by side as one vector of <c>width</c> = capsules·size. The weights are laid out anew as (input
/// capsule, input element, width) in scratch, so that vectors run over the votes and never along the few elements of a
/// capsule.
/// </summary>
internal unsafe struct CapsuleVotes<T> : IParallelJob, IVectorKernel<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Samples per part; fixed, so that results do not depend on the number of threads.</summary>
    private const int SamplesPerPart = 32;

    private Stage stage;
    private T* x, weight, votes, scratch;
    private int samples, inputs, capsules, size, width, depth, part;

    private enum Stage
    {
        Gather,
        Scatter,
        Forward,
        InputGradient,
        WeightGradient,
    }

    /// <summary>Room for the weights laid out anew.</summary>
    public static int Scratch(int[] weightShape) => checked(weightShape[0] * weightShape[1] * weightShape[2] * weightShape[3]);

    public static void Forward(Buffer<T> x, Buffer<T> weight, int[] shape, Buffer<T> votes, Buffer<T> scratch, WorkerPool pool)
    {
        CapsuleVotes<T> job = Job(x, weight, shape, votes, scratch);
        job.Run(Stage.Gather, job.inputs, pool);
        job.Run(Stage.Forward, job.inputs * job.SampleParts, pool);
    }

    public static void InputGradient(Buffer<T> votes, Buffer<T> weight, int[] shape, Buffer<T> dx, Buffer<T> scratch, WorkerPool pool)
    {
        CapsuleVotes<T> job = Job(dx, weight, shape, votes, scratch);
        job.Run(Stage.Gather, job.inputs, pool);
        job.Run(Stage.InputGradient, job.inputs * job.SampleParts, pool);
    }

    public static void WeightGradient(Buffer<T> votes, Buffer<T> x, int[] shape, Buffer<T> dw, Buffer<T> scratch, WorkerPool pool)
    {
        CapsuleVotes<T> job = Job(x, dw, shape, votes, scratch);
        job.Run(Stage.WeightGradient, job.inputs, pool);
        job.Run(Stage.Scatter, job.inputs, pool);
    }

    public readonly void Execute(int part, int worker)
    {
        CapsuleVotes<T> mine = this;
        mine.part = part;
        VectorKernel.Run<T, CapsuleVotes<T>>(ref mine);
    }

    public readonly void Invoke<V>() where V : struct, ISimd<V, T>
    {
        switch (stage)
        {
            case Stage.Gather or Stage.Scatter:
                Transpose(part);
                break;
            case Stage.WeightGradient:
                Weights<V>(part);
                break;
            default:
                int input = part / SampleParts;
                int first = part % SampleParts * SamplesPerPart;
                int last = Math.Min(samples, first + SamplesPerPart);
                for (int sample = first; sample < last; sample++)
                {
                    if (stage == Stage.Forward)
                    {
                        Votes<V>(sample, input);
                    }
                    else
                    {
                        Inputs<V>(sample, input);
                    }
                }
                break;
        }
    }

    private readonly int SampleParts => (samples + SamplesPerPart - 1) / SamplesPerPart;

    private static CapsuleVotes<T> Job(Buffer<T> x, Buffer<T> weight, int[] shape, Buffer<T> votes, Buffer<T> scratch) => new()
    {
        x = x.Pointer, weight = weight.Pointer, votes = votes.Pointer, scratch = scratch.Pointer,
        capsules = shape[0], inputs = shape[1], size = shape[2], depth = shape[3],
        width = shape[0] * shape[2], samples = x.Length / (shape[1] * shape[3]),
    };

    private void Run(Stage next, int parts, WorkerPool pool)
    {
        stage = next;
        pool.Run(ref this, parts);
    }

    /// <summary>Weights (capsules, inputs, size, input size) to scratch (inputs, input size, width), or back.</summary>
    private readonly void Transpose(int input)
    {
        T* laid = scratch + (long)input * depth * width;
        for (int capsule = 0; capsule < capsules; capsule++)
        {
            T* block = weight + ((long)capsule * inputs + input) * size * depth;
            for (int row = 0; row < size; row++)
            {
                for (int k = 0; k < depth; k++)
                {
                    ref T there = ref laid[(long)k * width + capsule * size + row];
                    if (stage == Stage.Gather)
                    {
                        there = block[row * depth + k];
                    }
                    else
                    {
                        block[row * depth + k] = there;
                    }
                }
            }
        }
    }

    private readonly void Votes<V>(int sample, int input) where V : struct, ISimd<V, T>
    {
        T* u = x + ((long)sample * inputs + input) * depth;
        T* to = votes + ((long)sample * inputs + input) * width;
        T* rows = scratch + (long)input * depth * width;
        for (int i = 0; i < width; i += V.Count)
        {
            V sum = V.Zero;
            for (int k = 0; k < depth; k++)
            {
                sum = V.Fma(V.Broadcast(u[k]), VectorKernel.Read<V, T>(rows + (long)k * width + i, width - i), sum);
            }
            VectorKernel.Write(sum, to + i, width - i);
        }
    }

    private readonly void Inputs<V>(int sample, int input) where V : struct, ISimd<V, T>
    {
        T* du = x + ((long)sample * inputs + input) * depth;
        T* from = votes + ((long)sample * inputs + input) * width;
        T* rows = scratch + (long)input * depth * width;
        for (int k = 0; k < depth; k++)
        {
            du[k] = CapsuleVector.Dot<V, T>(from, rows + (long)k * width, width);
        }
    }

    /// <summary>Sums over the samples in their order, four input elements for each vector of votes that is read.</summary>
    private readonly void Weights<V>(int input) where V : struct, ISimd<V, T>
    {
        T* rows = scratch + (long)input * depth * width;
        for (int i = 0; i < width; i += V.Count)
        {
            for (int k = 0; k < depth; k += 4)
            {
                int used = Math.Min(4, depth - k);
                (V a, V b, V c, V d) = (V.Zero, V.Zero, V.Zero, V.Zero);
                for (int sample = 0; sample < samples; sample++)
                {
                    T* u = x + ((long)sample * inputs + input) * depth + k;
                    V vote = VectorKernel.Read<V, T>(votes + ((long)sample * inputs + input) * width + i, width - i);
                    a = V.Fma(V.Broadcast(u[0]), vote, a);
                    b = used > 1 ? V.Fma(V.Broadcast(u[1]), vote, b) : b;
                    c = used > 2 ? V.Fma(V.Broadcast(u[2]), vote, c) : c;
                    d = used > 3 ? V.Fma(V.Broadcast(u[3]), vote, d) : d;
                }
                T* to = rows + (long)k * width + i;
                for (int row = 0; row < used; row++)
                {
                    VectorKernel.Write(row switch { 0 => a, 1 => b, 2 => c, _ => d }, to + (long)row * width, width - i);
                }
            }
        }
    }
}
