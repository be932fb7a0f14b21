using System.Collections.Immutable;
using System.Numerics;
using Fathom.Compute;

namespace Fathom.Training.Regularization;

/// <summary>
/// Normal noise of variance scale / (1 + t)^decay on every element of the gradient in step t, from 0. Neelakantan et al.
/// 2015, equation 1. It depends on seed, parameter and step alone, so a resumed run has the same.
/// </summary>
/// <param name="Scale">Variance in the first step; the paper takes 0.01, 0.3 or 1. Greater than 0.</param>
/// <param name="Decay">0 or more; 0 for noise that stays.</param>
/// <param name="Layers">Layers, blocks or single parameters; empty for all layers.</param>
/// <param name="Vectors">Whether biases and gains are included.</param>
public sealed record GradientNoise(double Scale = 0.01, double Decay = 0.55, ImmutableArray<string> Layers = default, bool Vectors = true) : Regularizer(Layers, Vectors)
{
    private const int PieceLength = 4096;

    public override string Kind => "gradient_noise";

    public override double AddTo<T>(in RegularizerScope<T> scope)
    {
        NoiseJob<T> job = new() { Gradient = scope.Gradient, Key = scope.Random, Deviation = Math.Sqrt(Scale / Math.Pow(1 + scope.Step, Decay)) };
        scope.Pool.Run(ref job, (scope.Gradient.Length + PieceLength - 1) / PieceLength);
        return 0;
    }

    public override void Validate()
    {
        RequirePositive("scale", Scale);
        Require(Decay >= 0 && !double.IsInfinity(Decay), "decay", Decay, "0 or more and finite");
    }

    private unsafe struct NoiseJob<T> : IParallelJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public Buffer<T> Gradient;
        public RandomKey Key;
        public double Deviation;

        public readonly void Execute(int part, int worker)
        {
            int end = Math.Min(Gradient.Length, (part + 1) * PieceLength);
            for (int i = part * PieceLength; i < end; i += 2)
            {
                (double first, double second) = Philox4x32.Generate(Key, (uint)(i >> 1)).Gaussians();
                Gradient.Pointer[i] += T.CreateTruncating(Deviation * first);
                if (i + 1 < end)
                {
                    Gradient.Pointer[i + 1] += T.CreateTruncating(Deviation * second);
                }
            }
        }
    }
}
